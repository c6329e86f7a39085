"""dms-harness: is this model build still fast, small, cool and accurate enough on this device?

The data flow, read downwards (each module imports only what stands above it):

1. a *profile* (devices/*.toml) says what the device is, which engines it has and what it promises; *identity* asks
   whether this machine is that device and has what its engines need;
2. a *model card* (suites/models/*/model.toml) says what goes in, what comes out and which files exist;
3. both together give *cases*: device x model x variant x runtime;
4. *dispatch* sends one case as a Job to a fresh worker process through a transport;
5. the *agent* reads the Job on the device, *measure* and *pipeline* push frames through the engine
   and give back a raw Run: nanoseconds, bytes, predictions, facts; *sampling* has the sensors (*probes*) read meanwhile
   by the *sampler*, a process of its own, as traces on the same clock;
6. *metrics* turns one Run into one number each, *energy* and *surroundings* do so with its traces, *preconditions* says
   what was not as the profile asks, *measurement* holds them; *rules* decides from plain
   inputs, *wording* says it, *verdict* asks about budgets, *comparison* about sessions of before,
   *pairing* about another build, *parity* about the parent or another engine, *unchanged* about where the model runs;
7. *session* measures on demand, with *lookback* (baseline, history) and *against* (the other build);
8. *plugin* makes one test of each question, *report* says the answers, *history* keeps them, *trendreport* makes one
   page of all that it holds, and *accept*, a command of its own, makes a baseline of them.
"""

__version__ = "0.1.0"
