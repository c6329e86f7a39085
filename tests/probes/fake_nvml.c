// A stand-in for libnvidia-ml.so.1 with one GPU, for tests; its layouts are those of nvml.h.
// Environment: FAKE_INIT, FAKE_QUERY, FAKE_FIELD: the code that the start, all queries, a field return. FAKE_TYPE: the
// type of a field. FAKE_INSTANT_MW, FAKE_EVENTS: what is told. FAKE_RESET_AT, FAKE_LOST_AT: at which reading of the
// energy that begins again, or the GPU is lost.
#include <stdlib.h>
#include <string.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };
enum { TYPE_DOUBLE, TYPE_UNSIGNED_INT, TYPE_UNSIGNED_LONG, TYPE_UNSIGNED_LONG_LONG };
enum { POWER_AVERAGE = 185, POWER_INSTANT = 186 };
#define NOT_AVAILABLE (~0ULL)

typedef union {
    double dVal;
    unsigned int uiVal;
    unsigned long ulVal;
    unsigned long long ullVal;
} Value;

typedef struct {
    unsigned int fieldId, scopeId;
    long long timestamp, latencyUsec;
    unsigned int valueType, nvmlReturn;
    Value value;
} FieldValue;

typedef struct {
    unsigned int pid;
    unsigned long long usedGpuMemory;
    unsigned int gpuInstanceId, computeInstanceId;
} Process;

typedef struct {
    char busIdLegacy[16];
    unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} PciInfo;

static int started, readings;
static int gpu;

static long told(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value ? strtol(value, NULL, 0) : otherwise;
}

static int state(void) {
    if (!started) return UNINITIALIZED;
    long lost_at = told("FAKE_LOST_AT", 0);
    return lost_at && readings >= lost_at ? GPU_IS_LOST : OK;
}

static int query(void) {
    return state() ? state() : (int)told("FAKE_QUERY", OK);
}

int nvmlInitWithFlags(unsigned int flags) {
    (void)flags;
    int code = (int)told("FAKE_INIT", OK);
    if (code == OK) started++;
    return code;
}

int nvmlShutdown(void) {
    if (!started) return UNINITIALIZED;
    started--;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) {
    if (!started) return UNINITIALIZED;
    if (index != 0) return INVALID_ARGUMENT;
    *handle = &gpu;
    return OK;
}

int nvmlSystemGetDriverVersion(char *version, unsigned int length) {
    if (!started) return UNINITIALIZED;
    strncpy(version, "571.99.01", length);
    return OK;
}

int nvmlDeviceGetName(void *handle, char *name, unsigned int length) {
    (void)handle;
    if (state()) return state();
    strncpy(name, "Imaginary GPU", length);
    return OK;
}

int nvmlDeviceGetPciInfo_v3(void *handle, PciInfo *info) {
    (void)handle;
    if (query()) return query();
    memset(info, 0, sizeof *info);
    strcpy(info->busId, "00000000:0A:00.0");
    return OK;
}

int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned int *limit) {
    (void)handle;
    *limit = 115000;
    return query();
}

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *energy) {
    (void)handle;
    readings++;
    long reset_at = told("FAKE_RESET_AT", 0);
    *energy = (reset_at && readings >= reset_at ? 0 : 5000000000ULL) + 250ULL * (unsigned)readings;
    return query();
}

int nvmlDeviceGetFieldValues(void *handle, int count, FieldValue *values) {
    (void)handle;
    if (query()) return query();
    for (int i = 0; i < count; i++) {
        long value = values[i].fieldId == POWER_INSTANT ? told("FAKE_INSTANT_MW", 41500) : 39000;
        int known = values[i].fieldId == POWER_INSTANT || values[i].fieldId == POWER_AVERAGE;
        values[i].nvmlReturn = known ? (unsigned)told("FAKE_FIELD", OK) : NOT_SUPPORTED;
        values[i].valueType = (unsigned)told("FAKE_TYPE", TYPE_UNSIGNED_INT);
        // What a wrong member of the union would show.
        memset(&values[i].value, 0xFF, sizeof values[i].value);
        switch (values[i].valueType) {
        case TYPE_DOUBLE: values[i].value.dVal = (double)value; break;
        case TYPE_UNSIGNED_LONG: values[i].value.ulVal = (unsigned long)value; break;
        case TYPE_UNSIGNED_LONG_LONG: values[i].value.ullVal = (unsigned long long)value; break;
        default: values[i].value.uiVal = (unsigned)value;
        }
    }
    return OK;
}

int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned int *celsius) {
    (void)handle;
    *celsius = 57;
    return sensor == 0 ? query() : INVALID_ARGUMENT;
}

int nvmlDeviceGetClockInfo(void *handle, int kind, unsigned int *megahertz) {
    (void)handle;
    *megahertz = kind == 1 ? 1410 : kind == 2 ? 5001 : 1;
    return query();
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned int rates[2]) {
    (void)handle;
    rates[0] = 83, rates[1] = 31;
    return query();
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long memory[3]) {
    (void)handle;
    memory[0] = 8ULL << 30, memory[1] = 5ULL << 30, memory[2] = 3ULL << 30;
    return query();
}

#ifdef OLD_DRIVER
int nvmlDeviceGetCurrentClocksThrottleReasons(void *handle, unsigned long long *mask) {
#else
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *mask) {
#endif
    (void)handle;
    *mask = (unsigned long long)told("FAKE_EVENTS", 0);
    return query();
}

static int list(const Process *found, unsigned int length, unsigned int *count, Process *processes) {
    if (query()) return query();
    unsigned int room = *count;
    *count = length;
    if (room < length) return INSUFFICIENT_SIZE;
    memcpy(processes, found, length * sizeof *found);
    return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, Process *processes) {
    (void)handle;
    static const Process found[] = {{11, 700, 0, 0}, {12, 900, 0, 0}, {13, NOT_AVAILABLE, 0, 0}};
    return list(found, 3, count, processes);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned int *count, Process *processes) {
    (void)handle;
    static const Process found[] = {{12, 900, 0, 0}, {14, 50, 0, 0}};
    return list(found, 2, count, processes);
}
