"""Invented outputs in the formats of the tools, one or more per tool."""

from __future__ import annotations

BENCHMARK_APP_LOG = """\
[Step 2/11] Loading OpenVINO Runtime
[ INFO ] OpenVINO:
[ INFO ] Build ................................. 2031.2.0-77-abc
[ INFO ] 
[ INFO ] Device info:
[ INFO ] CPU
[ INFO ] Build ................................. 2031.2.0-77-abc
[Step 4/11] Reading model files
[ INFO ] Loading model files
[ INFO ] Read model took 12.50 ms
[ INFO ] Model inputs:
[ INFO ]     in (node: in) : f32 / [...] / [1,3,64,64]
[ INFO ] Model batch size: 1
[ INFO ] Compile model took 80.25 ms
[ INFO ] Start of compilation memory usage: Peak 500000 KB
[ INFO ] Compile model ram used 100000 KB
[ INFO ] Model:
[ INFO ]   NUM_STREAMS: 2
[ INFO ]   INFERENCE_PRECISION_HINT: <Type: 'bfloat16'>
[ WARNING ] No input files were given for input 'in'!. This input will be filled with random values!
[Step 10/11] Measuring performance (Start inference asynchronously, 4 inference requests, limits: 2000 ms duration)
[ INFO ] Benchmarking in inference only mode (inputs filling are not included in measurement loop).
[ INFO ] First inference took 7.75 ms
[Step 11/11] Dumping statistics report
[ INFO ] Execution Devices:['CPU']
[ INFO ] Count:            5000 iterations
[ INFO ] Duration:         2000.50 ms
[ INFO ] Latency:
[ INFO ]    Median:        812.50 us
[ INFO ]    Average:       903.00 us
[ INFO ]    Min:           750.25 us
[ INFO ]    Max:           4100.00 us
[ INFO ] Throughput:   2499.38 FPS
"""

BENCHMARK_APP_PYTHON_JSON = """{"cmd_options": {"-m": "net.onnx"}, "configuration_setup": {"target device": "CPU",
"precision": "UNSPECIFIED", "number of parallel infer requests": "1"}, "execution_results": {
"compile model time (ms)": "71.25", "total number of iterations": "900", "latency (ms)": "0.09",
"avg latency": "0.11", "min latency": "0.05", "max latency": "2.20", "throughput": "9000.50"}}"""

BENCHMARK_APP_CPP_JSON = """{"configuration_setup": {"api": "async", "nireq": 4, "precision": "f32"},
"execution_results": {"load_model_time": 71.25, "first_inference_time": 9.5, "execution_time": 2000.5,
"iterations_num": 900, "latency_median": 3.125, "percentile_boundary": 95, "latency_avg": 2.5, "latency_min": 2.25,
"latency_max": 9.75, "throughput": 440.5,
"group_latencies": [{"data_shape": "in[1,3,8,8]", "latency_median": 1.5, "latency_average": 1.25, "latency_min": 1.0,
"latency_max": 2.0}]}}"""

BENCHMARK_APP_CSV = """\
Command line parameters
-m;net.onnx

Configuration setup
target device;GPU
number of parallel infer requests;1

Execution results
read model time (ms);3.50
latency (90 percentile) (ms);5.25
avg latency;4.75
min latency;4.25
max latency;8.00
throughput;210.25

"""

BENCHMARK_APP_COUNTERS = """{"report_type": "detailed", "detailed_performance": [{"nodes": [
{"name": "in", "node_type": "Parameter", "status": "Status.NOT_RUN", "real_time": "0.000", "exec_type": "unknown_f32"},
{"name": "c1", "node_type": "Convolution", "status": "Status.EXECUTED", "real_time": "0.250", "exec_type": "jit_f32"}],
"total_real_time": "0.250", "total_cpu_time": "0.250"}]}"""

BENCHMARK_APP_COUNTER_CSV = """\
layerName;execStatus;layerType;execType;realTime (ms);cpuTime (ms)
in;Status.NOT_RUN;Parameter;unknown_f32;0.000;0.000
c1;Status.EXECUTED;Convolution;jit_f32;0.250;0.250
Total;;;;0.250;0.250

"""

PERF_TEST_OLD = """\
Total time cost:2.5
Total iterations:500
Average time cost:5 ms
Total run time: 2.75 s
Min Latency is 0.004sec
Max Latency is 0.009sec
P50 Latency is 0.00475sec
P99 Latency is 0.0085sec
P999 Latency is 0.009se
"""

PERF_TEST_NEW = """\
Session creation time cost: 0.25 s
First inference time cost: 21 ms
Total inference time cost: 2.5 s
Total inference requests: 500
Average inference time cost total: 5.000000 ms
Average inference time cost submission: 1.500000 ms
Total inference run time: 2.75 s
Number of inferences per second: 181.818 
Avg CPU usage: 47 %
Peak working set size: 250000000 bytes
Avg CPU usage:47
Peak working set size:250000000
Runs:500
Min Latency: 0.004 s
Max Latency: 0.009 s
P999 Latency: 0.009 s
"""

TFLITE_LOG = """\
STARTING!
Log parameter values verbosely: [0]
Num threads: [4]
Graph: [net.tflite]
Loaded model net.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
VERBOSE: Replacing 40 out of 42 node(s) with delegate (TfLiteMyDelegate) node, yielding 3 partitions for subgraph 0.
The input model file size (MB): 1.25
Initialized session in 8.5ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=90 first=9000 curr=5100 min=5000 max=9000 avg=5500.5 std=400

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=190 first=5200 curr=5050 min=4900 max=6100 avg=5075.25 std=90 p5=4950 median=5060 p95=5400

Inference timings in us: Init: 8500, First inference: 9000, Warmup (avg): 5500.5, Inference (avg): 5075.25
Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual memory.
Memory footprint delta from the start of the tool (MB): init=2.5 overall=10
"""

TFLITE_PROFILE = (
    "Profiling Info for Benchmark Initialization:\n"
    "============================== Run Order ==============================\n"
    "\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]\n"
    "\t         AllocateTensors\t    0.500\t    0.500\t100.000%\t100.000%\t    12.000\t        1\tAllocateTensors/0\n"
    "\n"
    "Timings (microseconds): count=1 curr=500\n"
    "Memory (bytes): count=0\n"
    "1 nodes observed\n"
    "Operator-wise Profiling Info for Regular Benchmark Runs:\n"
    "============================== Run Order ==============================\n"
    "\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]\n"
    "\t    TfLiteGpuDelegateV2\t    3.000\t    2.750\t 73.333%\t 73.333%\t     0.000\t        1\t[a, b]:41\n"
    "\t                 SOFTMAX\t    1.000\t    1.000\t 26.667%\t100.000%\t     0.000\t        1\t[out]:40\n"
    "============================== Top by Computation Time ==============================\n"
    "\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]\n"
    "\t    TfLiteGpuDelegateV2\t    3.000\t    2.750\t 73.333%\t 73.333%\t     0.000\t        1\t[a, b]:41\n"
    "Number of nodes executed: 2\n"
    "============================== Summary by node type ==============================\n"
    "\t             [Node type]\t  [count]\t  [avg ms]\t    [avg %]\t    [cdf %]\t  [mem KB]\t[times called]\n"
    "\t    TfLiteGpuDelegateV2\t        1\t     2.750\t    73.333%\t    73.333%\t     0.000\t        1\n"
    "\n"
    "Timings (microseconds): count=40 first=4000 curr=3700 min=3600 max=4000 avg=3750 std=60\n"
    "2 nodes observed\n"
)

LITERT_RESULTS = """\
INFO: [./litert/tools/benchmark_litert_model.h:82] 
========== BENCHMARK RESULTS ==========
INFO: [./litert/tools/benchmark_litert_model.h:83] Model initialization: 5.25 ms
INFO: [./litert/tools/benchmark_litert_model.h:84] Warmup (first):       1.50 ms
INFO: [./litert/tools/benchmark_litert_model.h:88] Inference (avg):      0.75 ms (200 runs)
INFO: [./litert/tools/benchmark_litert_model.h:92] Inference (max):      1.25 ms
INFO: [./litert/tools/benchmark_litert_model.h:100] Init footprint:       8.00 MB
WARNING: [npu_registry.cc:34] NPU accelerator could not be loaded
"""

LITERT_JSON = """{"model": "net.tflite", "accelerators": ["CPU"], "fully_accelerated": true, "latency": {
"init_ms": 5.25, "warmup_first_ms": 1.5, "warmup_avg_ms": 1.0, "num_warmup_runs": 5, "avg_ms": 0.75,
"median_ms": 0.7, "p95_ms": 0.9, "num_runs": 200}, "throughput_mb_s": 11.0}"""

TIDL_BLOCK = """\
Statistics : 
 Inferences Per Second   :  125.00 fps
 Inference Time Per Image :    8.00 ms  
 DDR BW Per Image        :   12.50 MB
"""

TIDL_COMPLETED = (
    "Completed_Model :     1, Name : eyes      , Total time :       9.00, Offload Time :       8.00 , "
    "DDR RW MBs : 0, Output File : out.jpg\n"
)

TIDL_BOARD = f"""\
libtidl_onnxrt_EP loaded 0x2b
Final number of subgraphs created are : 2, - Offloaded Nodes - 60, Total Nodes - 64 
APP: Init ... !!!
MEM: Initialized DMA HEAP (fd=5) !!!
REMOTE_SERVICE: Init ... Done !!!
{{'ts:run_start': 1000, 'ts:run_end': 9001000, 'ts:subgraph_a_copy_in_start': 2000, 'ts:subgraph_a_copy_in_end': 102000,
 'ts:subgraph_a_proc_start': 102000, 'ts:subgraph_a_proc_end': 4102000, 'ts:subgraph_b_proc_start': 4202000,
 'ts:subgraph_b_proc_end': 8202000, 'ddr:read_start': 0, 'ddr:read_end': 7000000, 'ddr:write_start': 0,
 'ddr:write_end': 2000000}}
{TIDL_COMPLETED}"""

LOADGEN_SUMMARY = """\
================================================
MLPerf Results Summary
================================================
SUT name : PySUT
Scenario : ConstantStream
Mode     : PerformanceOnly
Completed samples per second    : 30.00
99.9th percentile latency (ns) : 8500000
Result is : VALID
  Performance constraints satisfied : Yes
  Min duration satisfied : Yes
Early Stopping Result:
 * Run successful.
 * Early stopping 99.9th percentile estimate: 8750000

================================================
Additional Stats
================================================
Scheduled samples per second : 30.00
Min latency (ns)                : 7000000
Max latency (ns)                : 91000000
Mean latency (ns)               : 7250000
50.00 percentile latency (ns)   : 7200000
99.90 percentile latency (ns)   : 8500000
Mean group latency (ns)         : 72500000

================================================
Test Parameters Used
================================================
samples_per_query : 1
target_latency (ns): 33333333
min_query_count : 100000

No warnings encountered during test.

1 error encountered. See detailed log.
"""

LOADGEN_DETAIL = "\n".join(
    f':::MLLOG {{"key": "{key}", "value": {value}, "metadata": {{"is_error": {error}, "is_warning": false}}}}'
    for key, value, error in (
        ("loadgen_version", '"9.1 @ abc"', "false"),
        ("requested_server_target_latency_ns", "50000000", "false"),
        ("requested_min_query_count", "100", "false"),
        ("effective_scenario", '"Server"', "false"),
        ("effective_target_latency_ns", "33333333", "false"),
        ("effective_min_query_count", "100", "false"),
        ("error_runtime", '"it broke"', "true"),
        ("result_validity", '"INVALID"', "false"),
        ("result_query_count", "1000", "false"),
        ("result_scheduled_samples_per_sec", "30.5", "false"),
        ("early_stopping_latency_ms", "9250000", "false"),
        ("result_min_latency_ns", "7000000", "false"),
        ("result_99.90_percentile_latency_ns", "8500000", "false"),
    )
)

TRTEXEC_LOG = """\
&&&& RUNNING TensorRT.trtexec [TensorRT v101601] [b11] # trtexec --onnx=net.onnx
[I] === Inference Options ===
[I] Iterations: 10
[I] 
[I] === Performance summary ===
[I] Throughput: 250.5 qps
[I] Latency: min = 3.5 ms, max = 6 ms, mean = 4 ms, median = 3.9 ms, percentile(99%) = 5.5 ms
[I] GPU Compute Time: min = 3 ms, max = 5 ms, mean = 3.5 ms, median = 3.4 ms, percentile(99%) = 4.75 ms
[I] H2D Latency: min = 0 ms, max = 0 ms, mean = 0 ms, median = 0 ms, percentile(99%) = 0 ms
[I] Total Host Walltime: 3.25 s
[I] Total GPU Compute Time: 3.5 s
[W] * GPU compute time is unstable, with coefficient of variance = 9%.
&&&& PASSED TensorRT.trtexec [TensorRT v101601] [b11] # trtexec --onnx=net.onnx
"""

TRTEXEC_TIMES = """[
  { "startEnqMs" : 0, "h2dMs" : 0.5, "computeMs" : 3.0, "d2hMs" : 0.5, "latencyMs" : 4.0 }
, { "startEnqMs" : 1, "h2dMs" : 0.5, "computeMs" : 5.0, "d2hMs" : 0.5, "latencyMs" : 6.0 }
]"""

TRTEXEC_PROFILE = """[
  { "count" : 25 }
, { "name" : "conv1", "timeMs" : 50, "averageMs" : 2.0, "medianMs" : 1.9, "percentage" : 100 }
]"""

QNN_TEXT = """\
Init Stats:

---
    NetRun:  4000 us

Execute Stats (Average):

--- Total Inference Time:

--- Graph 0 (eyes):
    NetRun:  2000 us
    Backend (Number of HVX threads used): 4 count
    Backend (RPC (execute) time): 1900 us
    Backend (Accelerator (execute) time): 0 NONE

Execute Stats (Overall):

---
    NetRun IPS:  250.5 inf/sec
"""

SNPE_TEXT = """\
Software library version: 2.30.0.1

Init: 40000 us
RPC Init Time: 0 NONE

Average SNPE Statistics:
------------------------------
Total Inference Time: 4000 us
Forward Propagate Time: 3900 us
RPC Execute Time: 2000 us
Accelerator Time: 1000 us

Layer Times: 
---------------
0: 500 cycles : DSP
1: 300 cycles : DSP
"""

TEXTS = (
    ("benchmark_app", BENCHMARK_APP_LOG),
    ("benchmark_app", BENCHMARK_APP_PYTHON_JSON),
    ("benchmark_app", BENCHMARK_APP_CPP_JSON),
    ("benchmark_app", BENCHMARK_APP_CSV),
    ("benchmark_app", BENCHMARK_APP_COUNTERS),
    ("benchmark_app", BENCHMARK_APP_COUNTER_CSV),
    ("onnxruntime_perf_test", PERF_TEST_OLD),
    ("onnxruntime_perf_test", PERF_TEST_NEW),
    ("benchmark_model", TFLITE_LOG),
    ("benchmark_model", TFLITE_PROFILE),
    ("benchmark_model", LITERT_RESULTS),
    ("benchmark_model", LITERT_JSON),
    ("tidl", TIDL_BLOCK),
    ("tidl", TIDL_BOARD),
    ("loadgen", LOADGEN_SUMMARY),
    ("loadgen", LOADGEN_DETAIL),
    ("trtexec", TRTEXEC_LOG),
    ("trtexec", TRTEXEC_TIMES),
    ("trtexec", TRTEXEC_PROFILE),
    ("qnn-profile-viewer", QNN_TEXT),
    ("snpe-diagview", SNPE_TEXT),
)
