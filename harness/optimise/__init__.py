"""From one FP32 model to the best variant for a device: `harness optimize`, in the order of its data.

amounts and candidates say what is asked for; making turns a recipe into files, each in a process of its own (maker);
measuring takes every file through the harness's own session, speedup lays it beside its parent in one process; journal
keeps what every step found, so that a killed run goes on where it was; pareto chooses, pure; report and table write,
adopt puts the chosen variant into the model's card. run strings them together, commands is the console command.
"""
