#!/usr/bin/python3
"""Molecular dynamics in LAMMPS and in MsHpc, interleaved in one run: ns per atom-step and ratios of the medians.

    python3 perf/peers/lammps_md.py [--system lj eam sw tersoff] [--precision double mixed] [--steps 100] [--repeat 3] [--cold]

LAMMPS' own benchmarks with 32,000 atoms (silicon 32,768): lj is bench/in.lj (lists every 20 steps unchecked, as that input says), eam
bench/in.eam, sw and tersoff diamond silicon at 1000 K. Debian's `lmp -sf opt` (pair styles without such a variant run as they are), in
double precision, with LAMMPS' skins; MsHpc with the skins that serve it best. Whole steps with lists, energy and virial every 100 steps
(eam 50), after 100 steps to warm up, one core. The energies of the perfect crystals are compared first: a faster wrong answer does not count.
With --cold: 100 steps from the start, wall time of the whole process. Needs Debian's lammps and lammps-data and a built perf/MsHpc.Perf.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PERF = os.path.join(HERE, "../MsHpc.Perf/bin/Release/net10.0/MsHpc.Perf.dll")
SILICON = """
units metal
atom_style atomic
lattice diamond 5.431
region box block 0 16 0 16 0 16
create_box 1 box
create_atoms 1 box
mass 1 28.06
velocity all create 1000.0 376847 loop geom
pair_style {style}
pair_coeff * * {folder}/Si.{style} Si
neighbor 1.0 bin
neigh_modify every 1 delay 5 check yes
timestep 0.001
thermo 100
"""
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
timestep 0.005
thermo 100
""",
    "eam": """
units metal
atom_style atomic
lattice fcc 3.615
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 box
pair_style eam
pair_coeff 1 1 {folder}/Cu_u3.eam
velocity all create 1600.0 376847 loop geom
neighbor 1.0 bin
neigh_modify every 1 delay 5 check yes
timestep 0.005
thermo 50
""",
    "sw": SILICON.replace("{style}", "sw"),
    "tersoff": SILICON.replace("{style}", "tersoff"),
}
ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", TERM="dumb")


def call(command, folder):
    begin = time.perf_counter()
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=ENVIRONMENT).stdout
    return time.perf_counter() - begin, text


def lammps(system, options):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "in"), "w") as f:
            f.write(SYSTEMS[system].format(folder=options.potentials))
            f.write("thermo_modify norm yes format float %.12g\nfix 1 all nve\n")
            f.write("run 100\n" if options.cold else f"run 100\nrun {options.steps}\n")
        wall, text = call(["lmp", "-sf", "opt", "-in", "in", "-log", "none"], folder)
    seconds, steps, atoms = re.findall(r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms", text)[-1]
    energy = re.search(r"Step\s+Temp\s+E_pair[^\n]*\n\s*0\s+\S+\s+(\S+)", text).group(1)
    return wall if options.cold else float(seconds) / int(steps) / int(atoms) * 1e9, float(energy)


def ours(system, precision, options):
    command = ["dotnet", PERF, "md", "--system", system, "--precision", precision, "--repeat", "1", "--potentials", options.potentials]
    wall, text = call(command + (["--warm", "0", "--steps", "100"] if options.cold else ["--steps", str(options.steps)]), None)
    return wall if options.cold else float(re.search(r"(\S+) ns/atom-step", text).group(1)), float(re.search(r"crystal (\S+) eV", text).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--precision", nargs="+", choices=["double", "mixed"], default=["double", "mixed"])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="wall time of 100 steps in a fresh process")
    parser.add_argument("--potentials", default="/usr/share/lammps/potentials", help="folder with the potential files that LAMMPS ships")
    options = parser.parse_args()
    if not os.path.exists(PERF):
        parser.exit(2, f"{parser.prog}: there is no {os.path.normpath(PERF)}: build it (dotnet build perf/MsHpc.Perf -c Release)\n")
    if shutil.which("lmp") is None:
        parser.exit(2, f"{parser.prog}: there is no program 'lmp': install Debian's lammps\n")
    if not os.path.isdir(options.potentials):
        parser.exit(2, f"{parser.prog}: there is no folder {options.potentials}: install Debian's lammps-data, or name another with --potentials\n")
    unit = "s" if options.cold else "ns/atom-step"
    for system in options.system:
        times = {name: [] for name in ["lammps", *options.precision]}
        for _ in range(options.repeat):
            for name in times:
                value, energy = lammps(system, options) if name == "lammps" else ours(system, name, options)
                times[name].append(value)
                if name == "lammps":
                    reference = energy
                elif abs(energy - reference) > (1e-5 if name == "mixed" else 1e-7) * abs(reference):
                    raise SystemExit(f"{system}: energies of the crystal differ: LAMMPS {reference} per atom, MsHpc {name} {energy}")
        peer = statistics.median(times["lammps"])
        for name, values in times.items():
            median = statistics.median(values)
            print(f"{system:8} {name:7} best {min(values):8.2f}  median {median:8.2f} {unit}  {peer / median:6.2f} x", flush=True)


if __name__ == "__main__":
    main()
