// A stand-in for libcudart.so with one GPU whose memory is the host's, for tests; prototypes as in cuda_runtime_api.h.
// It shows the order and the arguments of calls. It has no clock: each event is half a millisecond after the last one.
// Environment: FAKE_CUDA: the error of the calls that find the GPU. FAKE_GPU, FAKE_PROCESSORS, FAKE_GIB: the GPU. FAKE_CAPTURE: the error of the
// end of a capture. What it counts: standin_held, standin_launches. A stand-in engine that is asked to run while a
// stream is captured hands its work over with standin_capture; a launch of the graph does it again.
#include <stdlib.h>
#include <string.h>

typedef void (*Work)(void);

enum { OK = 0, INVALID_VALUE = 1, MEMCPY_TO_DEVICE = 1, MEMCPY_TO_HOST = 2 };

static int held, launches, capturing;
static float now_ms;
static Work captured;

static int told(const char *name) {
    const char *value = getenv(name);
    return value ? atoi(value) : OK;
}

int standin_held(void) { return held; }
int standin_launches(void) { return launches; }
int standin_capturing(void) { return capturing; }
void standin_capture(Work work) { captured = work; }

const char *cudaGetErrorString(int code) {
    return code == 35 ? "driver is too old for this runtime" : code == 100 ? "no device is detected" : "some fault";
}

int cudaGetDeviceCount(int *count) {
    *count = 1;
    return told("FAKE_CUDA");
}

int cudaSetDevice(int device) { return device ? INVALID_VALUE : told("FAKE_CUDA"); }

int cudaDriverGetVersion(int *version) {
    *version = 12080;
    return OK;
}

int cudaRuntimeGetVersion(int *version) {
    *version = 12060;
    return OK;
}

int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    const char *count = getenv("FAKE_PROCESSORS");
    *value = attribute == 75 ? 8 : attribute == 76 ? 7 : attribute == 16 ? (count ? atoi(count) : 16) : -1;
    return told("FAKE_CUDA");
}

int cudaGetDeviceProperties(char *properties, int device) {
    (void)device;
    const char *name = getenv("FAKE_GPU");
    strncpy(properties, name ? name : "Imaginary GPU", 256);
    const char *gib = getenv("FAKE_GIB");
    *(size_t *)(properties + 288) = (size_t)(gib ? atoi(gib) : 8) << 30;
    return told("FAKE_CUDA");
}

static int take(void **address, size_t size) {
    if (!size) return INVALID_VALUE;
    *address = calloc(1, size);
    held++;
    return OK;
}

static int give(void *address) {
    free(address);
    held--;
    return OK;
}

int cudaMalloc(void **address, size_t size) { return take(address, size); }
int cudaFree(void *address) { return give(address); }
int cudaHostAlloc(void **address, size_t size, unsigned flags) { return flags ? INVALID_VALUE : take(address, size); }
int cudaFreeHost(void *address) { return give(address); }

int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
    if (!stream || (kind != MEMCPY_TO_DEVICE && kind != MEMCPY_TO_HOST)) return INVALID_VALUE;
    memcpy(to, from, size);
    return OK;
}

int cudaStreamCreateWithFlags(void **stream, unsigned flags) { return flags == 1 ? take(stream, 1) : INVALID_VALUE; }
int cudaStreamSynchronize(void *stream) { return stream ? OK : INVALID_VALUE; }
int cudaStreamDestroy(void *stream) { return give(stream); }

int cudaEventCreateWithFlags(void **event, unsigned flags) {
    return flags ? INVALID_VALUE : take(event, sizeof(float));
}

int cudaEventSynchronize(void *event) { return event ? OK : INVALID_VALUE; }
int cudaEventDestroy(void *event) { return give(event); }

int cudaEventRecord(float *event, void *stream) {
    if (!stream) return INVALID_VALUE;
    *event = now_ms += 0.5f;
    return OK;
}

int cudaEventElapsedTime(float *ms, const float *start, const float *end) {
    *ms = *end - *start;
    return OK;
}

int cudaStreamBeginCapture(void *stream, int mode) {
    capturing = 1;
    captured = NULL;
    return stream && mode == 1 ? OK : INVALID_VALUE;
}

int cudaStreamEndCapture(void *stream, void **graph) {
    capturing = 0;
    int code = told("FAKE_CAPTURE");
    return code ? code : stream ? take(graph, 1) : INVALID_VALUE;
}

int cudaGraphInstantiateWithFlags(void **launchable, void *graph, unsigned long long flags) {
    return graph && !flags ? take(launchable, 1) : INVALID_VALUE;
}

int cudaGraphDestroy(void *graph) { return give(graph); }
int cudaGraphExecDestroy(void *launchable) { return give(launchable); }

int cudaGraphLaunch(void *launchable, void *stream) {
    if (!launchable || !stream || !captured) return INVALID_VALUE;
    launches++;
    captured();
    return OK;
}
