"""Invented lines in the forms that tegrastats has had, and ways to damage one."""

from __future__ import annotations

import random

ORIN = (
    "03-14-2031 15:09:26 RAM 2048/60000MB (lfb 7x4MB) SWAP 16/30000MB (cached 1MB) "
    "CPU [11%@1200,0%@729,off,100%@2201] EMC_FREQ 6%@2133 GR3D_FREQ 21%@[612,0] NVENC off NVDEC 12%@500 "
    "NVJPG1 off VIC 3%@115 OFA off NVDLA0 off PVA0_FREQ off APE 174 cpu@45.5C soc0@-256C tj@46.25C "
    "VDD_GPU_SOC 2500mW/2400mW VDD_CPU_CV 700mW/650mW NC 0mW/0mW VIN_SYS_5V0 3100mW/3050mW NC 0mW/0mW "
    "VDDQ_VDD2_1V8AO 310mW/300mW"
)
THOR = (
    "03-14-2031 15:09:27 RAM 9000/120000MB (lfb 3x4MB) CPU [1%@972,2%@972] EMC_FREQ @3200 "
    "GR3D_FREQ @[1500,1400,1300] NVENC0_FREQ @1556 VIC off cpu@50C/51.5C tj@52C/53C gpu@52C/53C "
    "VDD_GPU -410mW/-400mW/12mW VDD_CPU_SOC_MSS 7777mW VIN_SYS_5V0 5000mW/4000mW/6000mW VIN 31000mW/15500mW/31000mW"
)
XAVIER = (
    "RAM 700/31000MB (lfb 70x4MB) CPU [5%@1190,off] SWAP 0/15000MB (cached 0MB) EMC_FREQ 0%@665 GR3D_FREQ 0%@318 "
    "APE 150 MTS fg 0% bg 7% AO@37.5C GPU@36.5C CPU@-12C Tdiode@40C PMIC@100C GPU 20/30 CPU 310/300 SOC 930/920 "
    "CV 0/0 VDDRQ 620/610 SYS5V 1480/1470"
)
NANO = (
    "RAM 1500/3964MB (lfb 1x512kB) SWAP 0/1982MB (cached 0MB) IRAM 0/252kB(lfb 252kB) CPU [16%@204,9%@204] EMC_FREQ 0% "
    "GR3D_FREQ 4% PLL@34C iwlwifi@41C POM_5V_IN 1900/1800 POM_5V_GPU 0/0 POM_5V_CPU 210/200"
)
OLDEST = (
    "RAM 3000/3983MB (lfb 48x4MB) SWAP 800/8192MB (cached 90MB) cpu [17%,off,30%]@1734 EMC 2%@1600 APE 25 GR3D 9%@76"
)
SPACED = "RAM   10/20MB     NVENC      off    VIC  \t  7%@9   cpu@40C     VDD_IN     4000mW/4100mW   \r"
LINES = (ORIN, THOR, XAVIER, NANO, OLDEST, SPACED)
LETTERS = "".join(map(chr, range(32, 127))) + "\0\t\x85\u0660\ud800é°"


def mutated(line: str, dice: random.Random) -> str:
    """The line with one to six random damages."""
    for _ in range(dice.randint(1, 6)):
        start = dice.randrange(len(line) + 1)
        end = start + dice.randrange(12)
        words = line.split(" ")
        dice.shuffle(words)
        line = dice.choice((
            line[:start] + dice.choice(LETTERS) + line[start + 1 :],
            line[:start] + line[end:],
            line[:end] + line[start:],
            line[:start] + dice.choice(("mW", "@", "/", "-", "[", "off", "9" * 30, "256C", ",")) + line[start:],
            " ".join(words),
        ))  # fmt: skip
    return line
