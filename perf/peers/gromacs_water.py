#!/usr/bin/python3
"""Rigid TIP3P water with particle-mesh Ewald in GROMACS and in MsHpc, in one run: the ratio of the medians of ns per atom-step.

    python3 perf/peers/gromacs_water.py [--repeat 3] [--steps 500] [--warm 200] [--drift picoseconds] [--work folder]

8,916 atoms in a cube of 4.5 nm, cutoff 0.9 nm, mesh spacing 0.12 nm, order 4, ewald-rtol 1e-5, 2 fs, one core each; energies every 100
steps. Debian's `gmx` (mixed precision) makes the box, relaxes it for 6 ps, and both start from its file; each leaves the first --warm
steps out of the time. With --drift instead of times the drift of the conserved energy of both over as long, by the same straight line through energies
every 0.2 ps, with its standard error (residuals' correlation from one point to the next taken into account). First the potential energies at the start are compared: a faster wrong answer does not count. Needs Debian's
gromacs and gromacs-data and a built MsHpc (dotnet build perf/MsHpc.Perf -c Release).
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PERF = os.path.join(HERE, "..", "MsHpc.Perf", "bin", "Release", "net10.0", "MsHpc.Perf.dll")
MOLECULES = 2972
TOPOLOGY = f"""#include "amber99sb.ff/forcefield.itp"
#include "amber99sb.ff/tip3p.itp"
[ system ]
water
[ molecules ]
SOL {MOLECULES}
"""
SETTINGS = """integrator = {integrator}
nsteps = {steps}
dt = 0.002
continuation = {continuation}
cutoff-scheme = Verlet
rcoulomb = 0.9
rvdw = 0.9
vdw-modifier = None
coulombtype = PME
coulomb-modifier = None
fourierspacing = 0.12
pme-order = 4
ewald-rtol = 1e-5
DispCorr = no
nstcalcenergy = 100
nstenergy = 100
nstlog = 100
comm-mode = Linear
nstcomm = 100
"""
BATH = "tcoupl = v-rescale\ntc-grps = system\ntau-t = 0.1\nref-t = 300\ngen-vel = yes\ngen-temp = 300\n"


def gmx(folder, *words):
    done = subprocess.run(["gmx", *words], cwd=folder, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS="1", GMX_MAXBACKUP="-1"))
    if done.returncode:
        raise SystemExit(f"gmx {' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def run(folder, name, start, more=""):
    with open(os.path.join(folder, name + ".mdp"), "w") as f:
        f.write(more)
    gmx(folder, "grompp", "-f", name + ".mdp", "-c", start, "-p", "topol.top", "-o", name + ".tpr", "-maxwarn", "5")
    gmx(folder, "mdrun", "-deffnm", name, "-ntmpi", "1", "-ntomp", "1", "-notunepme", "-pin", "off", *(["-resethway"] if name == "time" else []))


def box(folder):
    """An equilibrated box; kept in the folder."""
    if os.path.exists(os.path.join(folder, "eq.gro")):
        return
    with open(os.path.join(folder, "topol.top"), "w") as f:
        f.write(TOPOLOGY)
    gmx(folder, "solvate", "-cs", "spc216", "-box", "4.5", "4.5", "4.5", "-o", "start.gro")
    run(folder, "em", "start.gro", SETTINGS.format(integrator="steep", steps=100, continuation="no"))
    run(folder, "eq", "em.gro", SETTINGS.format(integrator="md", steps=3000, continuation="no") + BATH)


def theirs(folder, steps):
    """ns per atom-step of the second half of twice the steps; potential energy at the start, kJ/mol."""
    run(folder, "time", "eq.gro", SETTINGS.format(integrator="md", steps=2 * steps, continuation="no"))
    with open(os.path.join(folder, "time.log")) as f:
        log = f.read()
    wall = float(re.search(r"Time:\s+\S+\s+(\S+)", log).group(1))
    header, values = re.search(r"Energies \(kJ/mol\)\n([^\n]*Potential[^\n]*)\n([^\n]*)\n", log).groups()
    names = [header[i:i + 15].strip() for i in range(0, len(header), 15)]
    return wall / (steps + 1) / (3 * MOLECULES) * 1e9, float(values.split()[names.index("Potential")])


def line(times, energies):
    """Slope and its standard error; residuals as a first-order autoregression."""
    n, mt, me = len(times), statistics.fmean(times), statistics.fmean(energies)
    stt = sum((t - mt) ** 2 for t in times)
    slope = sum((t - mt) * (e - me) for t, e in zip(times, energies)) / stt
    rest = [e - me - slope * (t - mt) for t, e in zip(times, energies)]
    square = sum(r * r for r in rest)
    rho = min(0.95, max(0.0, sum(a * b for a, b in zip(rest, rest[1:])) / square))
    return slope, (square / (n - 2) / stt * (1 + rho) / (1 - rho)) ** 0.5


def drift(folder, picoseconds, skin):
    """Prints drifts in eV per ps and atom."""
    steps, atoms = round(picoseconds / 0.002), 3 * MOLECULES
    run(folder, "drift", "eq.gro", SETTINGS.format(integrator="md", steps=steps, continuation="no"))
    subprocess.run(["gmx", "energy", "-f", "drift.edr", "-o", "drift.xvg"], cwd=folder, input="Total-Energy\n\n", capture_output=True, text=True, check=True)
    with open(os.path.join(folder, "drift.xvg")) as f:
        rows = [[float(w) for w in row.split()] for row in f if row[0] not in "#@"]
    found = {"GROMACS": ([r[0] for r in rows], [r[1] / 96.48533212 for r in rows])}
    for precision in ("mixed", "double"):
        out = subprocess.run(["dotnet", PERF, "water", "--gro", os.path.join(folder, "eq.gro"), "--steps", str(steps), "--warm", "0", "--repeat", "1", "--skin", str(skin), "--precision", precision, "--trace", "yes"],
                             env=dict(os.environ, OMP_NUM_THREADS="1"), capture_output=True, text=True, check=True).stdout
        pairs = re.findall(r"at ([0-9.]+) ps conserved ([-0-9.]+) eV", out)
        found["MsHpc " + precision] = ([float(t) for t, _ in pairs], [float(e) for _, e in pairs])
    for name, (times, energies) in found.items():
        slope, error = line(times, energies)
        print(f"{name}: total energy drifts by {slope / atoms:.2e} ± {error / atoms:.1e} eV per ps and atom over {times[-1] - times[0]:g} ps ({len(times)} energies)")


def ours(folder, steps, warm, skin, precision):
    out = subprocess.run(["dotnet", PERF, "water", "--gro", os.path.join(folder, "eq.gro"), "--steps", str(steps), "--warm", str(warm), "--repeat", "1", "--skin", str(skin), "--precision", precision],
                         env=dict(os.environ, OMP_NUM_THREADS="1"), capture_output=True, text=True, check=True).stdout
    return float(re.search(r"([0-9.]+) ns/atom-step", out).group(1)), float(re.search(r"potential energy ([-0-9.]+) eV", out).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--warm", type=int, default=200)
    parser.add_argument("--skin", type=float, default=2.5)
    parser.add_argument("--drift", type=float, help="picoseconds; drift of the energy instead of times")
    parser.add_argument("--work", help="folder that keeps the box between runs")
    a = parser.parse_args()
    if not os.path.exists(PERF):
        parser.exit(2, f"{parser.prog}: there is no {os.path.normpath(PERF)}: build it (dotnet build perf/MsHpc.Perf -c Release)\n")
    if shutil.which("gmx") is None:
        parser.exit(2, f"{parser.prog}: there is no program 'gmx': install Debian's gromacs and gromacs-data\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = a.work or temporary
        os.makedirs(folder, exist_ok=True)
        box(folder)
        if a.drift:
            drift(folder, a.drift, a.skin)
            return
        them, us = [], {"double": [], "mixed": []}
        for _ in range(a.repeat):
            t, their_energy = theirs(folder, a.steps)
            them.append(t)
            for precision, times in us.items():
                m, my_energy = ours(folder, a.steps, a.warm, a.skin, precision)
                # Both put the file's three digits back onto the constraints, each in its way, and single precision: 1e-3 of the energy.
                if abs(their_energy / (my_energy * 96.48533212) - 1) > 1e-3:
                    raise SystemExit(f"energies differ: GROMACS {their_energy} kJ/mol, MsHpc {my_energy * 96.48533212}")
                times.append(m)
        print(f"water: GROMACS {statistics.median(them):.1f} ns/atom-step ({min(them):.1f} to {max(them):.1f})")
        for precision, times in us.items():
            print(f"MsHpc {precision} {statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f}); ratio {statistics.median(them) / statistics.median(times):.2f}")


if __name__ == "__main__":
    main()
