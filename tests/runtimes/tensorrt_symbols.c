// What TensorRT's Python bindings look up in libnvinfer, its plug-ins and its ONNX parser while they are imported:
// names that do nothing. With them the bindings' API can be read; nothing can be built or run.
#define NOTHING(name) void *name(void) { return 0; }

NOTHING(createInferBuilder_INTERNAL)
NOTHING(createInferRefitter_INTERNAL)
NOTHING(createInferRuntime_INTERNAL)
NOTHING(getBuilderPluginRegistry)
NOTHING(getPluginRegistry)
NOTHING(createNvOnnxParser_INTERNAL)
NOTHING(createNvOnnxParserRefitter_INTERNAL)
NOTHING(getNvOnnxParserVersion)
// Of the parsers for UFF and Caffe, which version 8 still has.
NOTHING(_ZN11nvuffparser15createUffParserEv)
NOTHING(_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi)
NOTHING(_ZN14nvcaffeparser117createCaffeParserEv)
NOTHING(_ZN14nvcaffeparser123shutdownProtobufLibraryEv)

_Bool initLibNvInferPlugins(void *logger, const char *space) {
    (void)logger, (void)space;
    return 1;
}
