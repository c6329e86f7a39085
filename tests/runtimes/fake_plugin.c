// A library of TensorRT plug-ins, as far as its loading goes; nothing is in it.
int *getCreators(int *count) {
    *count = 0;
    return 0;
}
