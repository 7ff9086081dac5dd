#!/usr/bin/python3
"""Copper with an embedded-atom potential in LAMMPS and in MsHpc, in one run: the ratio of the medians of ns per atom-step.

    python3 perf/peers/lammps_eam.py [--repeat 3] [--steps 100] [--warm 100] [--precision double]

LAMMPS' bench/in.eam: 32,000 atoms, 1600 K at the start, 5 fs, energy and pressure every 50 steps; Debian's `lmp -sf opt` with its own
skin of 1.0 A, MsHpc with the skin that serves it best. Each runs --warm steps first, in turn, in a process of its own, on one core;
whole steps with neighbour lists. First the potential energies of the perfect crystal are compared: a faster wrong answer does not
count. Needs Debian's lammps and lammps-data and a built MsHpc (dotnet build perf/MsHpc.Perf -c Release).
"""
import argparse
import os
import re
import statistics
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PERF = os.path.join(HERE, "..", "MsHpc.Perf", "bin", "Release", "net10.0", "MsHpc.Perf.dll")
SYSTEMS = {"eam": dict(atoms=32000, potential="Cu_u3.eam")}
INPUT = """
units metal
atom_style atomic
lattice fcc 3.615
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 box
pair_style eam
pair_coeff 1 1 {potential}
velocity all create 1600.0 376847 loop geom
neighbor 1.0 bin
neigh_modify every 1 delay 5 check yes
fix 1 all nve
timestep 0.005
thermo 50
thermo_modify format float %.12g
run {warm}
run {steps}
"""


def environment():
    return dict(os.environ, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", TERM="dumb")


def lammps(system, potential, warm, steps):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "in"), "w") as f:
            f.write(INPUT.format(potential=potential, warm=warm, steps=steps))
        log = subprocess.run(["lmp", "-sf", "opt", "-in", "in", "-log", "none"], cwd=folder, env=environment(), check=True, capture_output=True, text=True).stdout
    seconds = [float(t) for t in re.findall(r"Loop time of ([0-9.eE+-]+)", log)]
    first = re.search(r"Step\s+Temp\s+E_pair[^\n]*\n\s*0\s+\S+\s+(\S+)", log)
    return seconds[-1] / steps / SYSTEMS[system]["atoms"] * 1e9, float(first.group(1)) / SYSTEMS[system]["atoms"]


def ours(system, potential, warm, steps, precision):
    out = subprocess.run(["dotnet", PERF, system, "--file", potential, "--warm", str(warm), "--steps", str(steps), "--repeat", "1", "--precision", precision],
                         env=environment(), check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([0-9.]+) ns/atom-step", out).group(1)), float(re.search(r"crystal ([-0-9.]+) eV", out).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default="eam", choices=SYSTEMS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--warm", type=int, default=100)
    parser.add_argument("--precision", default="double")
    parser.add_argument("--potentials", default="/usr/share/lammps/potentials", help="folder with the potential files that LAMMPS ships")
    a = parser.parse_args()
    potential = os.path.join(a.potentials, SYSTEMS[a.system]["potential"])
    theirs, mine = [], []
    for _ in range(a.repeat):
        t, their_energy = lammps(a.system, potential, a.warm, a.steps)
        m, my_energy = ours(a.system, potential, a.warm, a.steps, a.precision)
        if abs(their_energy - my_energy) > (1e-6 if a.precision == "mixed" else 1e-8):
            raise SystemExit(f"energies of the crystal differ: LAMMPS {their_energy} eV per atom, MsHpc {my_energy}")
        theirs.append(t)
        mine.append(m)
    print(f"{a.system}: LAMMPS {statistics.median(theirs):.1f} ns/atom-step ({min(theirs):.1f} to {max(theirs):.1f}), "
          f"MsHpc {a.precision} {statistics.median(mine):.1f} ({min(mine):.1f} to {max(mine):.1f}); ratio {statistics.median(theirs) / statistics.median(mine):.2f}")


if __name__ == "__main__":
    main()
