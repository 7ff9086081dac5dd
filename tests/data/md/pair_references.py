#!/usr/bin/env python3
"""Energies, forces and virials of pair potentials, walls and indenters by LAMMPS, as <name>.json beside this file.

    python3 pair_references.py [name ...]

Needs the program lmp (Debian's package lammps). Crystals are perturbed by a fixed random sequence; positions are written with 17 digits.
"""
import json
import math
import os
import random
import subprocess
import sys
import tempfile

FCC = [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
ROCKSALT = [(x, y, z, t) for t, o in ((1, 0.0), (2, 0.5)) for x, y, z in [((a + o) % 1, b, c) for a, b, c in FCC]]


def crystal(basis, a, n, tilt=(0, 0, 0), noise=0.1, seed=1):
    """Atoms of a perturbed crystal of n[0]·n[1]·n[2] cells; tilt = xy, xz, yz of the whole cell, Å."""
    rng = random.Random(seed)
    cell = [[a * n[0], 0, 0], [tilt[0], a * n[1], 0], [tilt[1], tilt[2], a * n[2]]]
    positions, types = [], []
    for i in range(n[0]):
        for j in range(n[1]):
            for k in range(n[2]):
                for b in basis:
                    s = [(i + b[0]) / n[0], (j + b[1]) / n[1], (k + b[2]) / n[2]]
                    positions.append([sum(s[m] * cell[m][d] for m in range(3)) + noise * rng.uniform(-1, 1) for d in range(3)])
                    types.append(b[3] if len(b) > 3 else 1)
    return cell, positions, types


def run(name, description, units, atoms, setup, periodic=(True, True, True), charges=None, species=("A", "B"), fixes=(), extra=""):
    cell, positions, types = atoms
    tilted = any((cell[1][0], cell[2][0], cell[2][1]))
    boundary = " ".join("p" if p else "f" for p in periodic)
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/data", "w") as f:
            f.write(f"{name}\n\n{len(positions)} atoms\n{max(types)} atom types\n\n")
            for d, axis in enumerate("xyz"):
                # A box that does not repeat must hold all atoms; it has no other meaning.
                low, high = (0, cell[d][d]) if periodic[d] else (-20, cell[d][d] + 20)
                f.write(f"{low!r} {high!r} {axis}lo {axis}hi\n")
            if tilted:
                f.write(f"{cell[1][0]!r} {cell[2][0]!r} {cell[2][1]!r} xy xz yz\n")
            f.write("\nMasses\n\n" + "".join(f"{t + 1} 1\n" for t in range(max(types))))
            f.write("\nAtoms # charge\n\n")
            for i, (t, p) in enumerate(zip(types, positions)):
                f.write(f"{i + 1} {t} {charges[t - 1] if charges else 0} {p[0]!r} {p[1]!r} {p[2]!r}\n")
        virial = "virial" if not fixes else "virial fix"
        script = "\n".join([
            f"units {units}", "atom_style charge", "atom_modify map array sort 0 0", f"boundary {boundary}", f"read_data {folder}/data", *setup, *fixes,
            f"compute w all pressure NULL {virial}", "compute e all pe/atom", extra,
            "thermo_style custom pe vol c_w[1] c_w[2] c_w[3] c_w[4] c_w[5] c_w[6]", "thermo_modify norm no format float %.17g",
            f"dump d all custom 1 {folder}/dump id x y z fx fy fz c_e", "dump_modify d sort id format float %.17g", "run 0", ""])
        with open(f"{folder}/in", "w") as f:
            f.write(script)
        out = subprocess.run(["lmp", "-in", f"{folder}/in", "-log", "none"], capture_output=True, text=True, cwd=folder)
        if out.returncode:
            sys.exit(out.stdout[-2000:])
        lines = out.stdout.splitlines()
        numbers = [float(v) for v in lines[next(i for i, l in enumerate(lines) if l.split()[:2] == ["PotEng", "Volume"]) + 1].split()]
        version = next(l for l in lines if l.startswith("LAMMPS ("))
        rows = [[float(v) for v in l.split()] for l in open(f"{folder}/dump").read().splitlines()[9:]]
    conversion = {"metal": 1602176.5, "lj": 1.0}[units]
    result = {
        "name": name, "description": description, "code": version, "units": f"LAMMPS {units}", "natoms": len(rows),
        "cell_rows_abc": cell, "periodic": list(periodic), "origin": [0, 0, 0],
        "species": [species[t - 1] for t in types], "type": types, **({"charges": [charges[t - 1] for t in types]} if charges else {}),
        "lammps_setup": list(setup) + list(fixes), "potential_energy": numbers[0],
        "positions": [r[1:4] for r in rows], "forces": [r[4:7] for r in rows], "per_atom_energy": [r[7] for r in rows],
        "virial_sum_r_f_xx_yy_zz_xy_xz_yz": [p * numbers[1] / conversion for p in numbers[2:]],
        "notes": "W_ab = sum r_a f_b = P_ab V / conversion",
    }
    text = json.dumps(result)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".json"), "w") as f:
        f.write(text + "\n")
    print(name, len(text), "bytes, E =", numbers[0])


A = (4 / 0.8442) ** (1 / 3)
LJ = ["pair_style lj/cut 2.5", "pair_coeff 1 1 1 1 2.5", "neighbor 0.3 bin"]
NACL = crystal(ROCKSALT, 5.64, (2, 2, 2), noise=0.15)
SOLID = crystal(FCC, 4.05, (2, 2, 3), noise=0.15)
CASES = {
    "lj_triclinic": lambda n: run(n, "LJ, triclinic cell", "lj", crystal(FCC, A, (3, 3, 3), tilt=(0.9, -1.1, 1.7)), LJ),
    "lj_small_triclinic": lambda n: run(n, "LJ, triclinic cell smaller than twice the cutoff", "lj", crystal(FCC, A, (2, 2, 1), tilt=(1.1, -0.5, 0.7)), LJ),
    "lj_slab": lambda n: run(n, "LJ, periodic in x and y", "lj", crystal(FCC, A, (3, 3, 2)), LJ, periodic=(True, True, False)),
    "lj_wire_triclinic": lambda n: run(n, "LJ, tilted cell periodic in x and z", "lj", crystal(FCC, A, (2, 2, 2), tilt=(0, 1.3, 0)), LJ, periodic=(True, False, True)),
    "lj_force_shifted": lambda n: run(n, "LJ, energy and force shifted to zero at the cutoff", "lj", crystal(FCC, A, (2, 2, 2)),
                                      ["pair_style lj/smooth/linear 2.5", "pair_coeff 1 1 1 1", "neighbor 0.3 bin"]),
    "morse": lambda n: run(n, "Morse, Al-like", "metal", SOLID, ["pair_style morse 6.0", "pair_coeff 1 1 0.2703 1.1646 3.253", "neighbor 1.0 bin"], species=("Al",)),
    "buckingham": lambda n: run(n, "Buckingham, two kinds, without charges", "metal", NACL,
                                ["pair_style buck 6.0", "pair_coeff 1 1 424.097 0.3171 1.05", "pair_coeff 1 2 1256.31 0.3171 11.2", "pair_coeff 2 2 3488.998 0.3171 72.4 5.0", "neighbor 1.0 bin"],
                                species=("Na", "Cl")),
    "coul_dsf": lambda n: run(n, "Coulomb by damped shifted force; LAMMPS approximates erfc to 1.5e-7 and takes e2/(4 pi eps0) = 14.399645", "metal", NACL,
                              ["pair_style coul/dsf 0.2 9.0", "pair_coeff * *", "neighbor 1.0 bin"], charges=(1.0, -1.0), species=("Na", "Cl")),
    "lj_buck_overlay": lambda n: run(n, "LJ between kind 1 (cutoff 4), Buckingham between kinds 1 and 2 (6), and Coulomb (9) between all", "metal", NACL,
                                     ["pair_style hybrid/overlay lj/cut 4.0 buck 6.0 coul/dsf 0.2 9.0", "pair_coeff * * coul/dsf", "pair_coeff 1 1 lj/cut 0.01 3.0", "pair_coeff 1 2 buck 1256.31 0.3171 11.2",
                                      "pair_coeff 2 2 buck 3488.998 0.3171 72.4", "neighbor 1.0 bin"], charges=(1.0, -1.0), species=("Na", "Cl")),
}
ZERO = ["pair_style zero 3.0", "pair_coeff * *", "neighbor 1.0 bin"]
SLAB = (True, True, False)
for kind, line in {"lj93": "zlo -1.5 0.3 2.2 6.0", "lj126": "zlo -2.4 0.3 2.2 6.0", "harmonic": "zhi 12.5 2.0 0.0 4.0"}.items():
    CASES["wall_" + kind] = lambda n, kind=kind, line=line: run(
        n, f"wall: fix wall/{kind} {line}", "metal", SOLID, ZERO, SLAB, species=("Al",), fixes=[f"fix w all wall/{kind} {line}", "fix_modify w energy yes virial yes"])
for kind, line in {"sphere": "sphere 3.0 4.0 11.0 3.5", "cylinder": "cylinder y 2.0 12.5 3.9"}.items():
    CASES["indent_" + kind] = lambda n, line=line: run(
        n, f"indenter: fix indent 10 {line}; no virial", "metal", SOLID, ZERO, SLAB, species=("Al",), fixes=[f"fix w all indent 10.0 {line} units box", "fix_modify w energy yes"])

for case in sys.argv[1:] or CASES:
    CASES[case](case)
