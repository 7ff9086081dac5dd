#!/usr/bin/python3
"""Molecular dynamics in LAMMPS (lmp -sf opt) and in MsHpc, interleaved in one run: ns per atom-step and ratios of the medians.

    python3 perf/peers/lammps_md.py [--system lj] [--precision double mixed] [--steps 200] [--repeat 5]

The systems are LAMMPS' own benchmarks with 32,000 atoms: lj is bench/in.lj (melt, density 0.8442, temperature 1.44, cutoff 2.5, skin 0.3,
step 0.005; LAMMPS rebuilds lists every 20 steps unchecked, as that input says, MsHpc when an atom has moved half the skin). Whole steps with lists; energy and virial every 100 steps; both warm up for 100 steps
first. One core. Needs Debian's lammps and a built perf/MsHpc.Perf. A further system is a row in SYSTEMS and one in perf/MsHpc.Perf/MdPeer.cs.
"""
import argparse
import os
import re
import statistics
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PERF = os.path.join(HERE, "../MsHpc.Perf/bin/Release/net10.0/MsHpc.Perf")
ATOMS = 32000
SYSTEMS = {
    "lj": """
units lj
atom_style atomic
lattice fcc 0.8442
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create 1.44 87287 loop geom
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
neighbor 0.3 bin
neigh_modify delay 0 every 20 check no
""",
}


def lammps(system, steps):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "in")
        with open(path, "w") as f:
            f.write(f"{SYSTEMS[system]}\nfix 1 all nve\nthermo 100\nrun 100\nrun {steps}\n")
        text = subprocess.run(["lmp", "-sf", "opt", "-in", path, "-log", "none"], capture_output=True, text=True, check=True, cwd=folder,
                              env={**os.environ, "OMP_NUM_THREADS": "1"}).stdout
    loops = re.findall(r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms", text)
    seconds, done, atoms = loops[-1]
    assert int(done) == steps and int(atoms) == ATOMS
    return float(seconds) / steps / ATOMS * 1e9


def ours(system, precision, steps):
    text = subprocess.run([PERF, "md", "--system", system, "--precision", precision, "--steps", str(steps), "--warm", "100", "--repeat", "1"],
                          capture_output=True, text=True, check=True).stdout
    return float(re.search(r"(\S+) ns/atom-step", text).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", choices=SYSTEMS, default="lj")
    parser.add_argument("--precision", nargs="+", choices=["double", "mixed"], default=["double", "mixed"])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    times = {"lammps": []} | {p: [] for p in options.precision}
    for _ in range(options.repeat):
        times["lammps"].append(lammps(options.system, options.steps))
        for p in options.precision:
            times[p].append(ours(options.system, p, options.steps))
    peer = statistics.median(times["lammps"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:8} best {min(values):7.1f}  median {median:7.1f} ns/atom-step  {peer / median:5.2f} x")


if __name__ == "__main__":
    main()
