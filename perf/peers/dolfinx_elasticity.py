#!/usr/bin/python3
"""Clamped unit cube, hex8, in dolfinx and in MsHpc, in one run: ratios of the medians of assembly, set-up, solve and memory.

    python3 perf/peers/dolfinx_elasticity.py [-n 40] [--repeat 3] [--solver embedded|petsc]

E = 1, nu = 0.3, u = 0 on x = 0, traction (0, 0, -0.01) on x = 1; CG with GAMG and rigid-body modes to a relative residual of 1e-8 in
dolfinx, the solver named in MsHpc. Both compliances are compared first: a faster wrong answer does not count. The programs run in
turn, each in a process of its own, on one core. Needs Debian's python3-dolfinx and a built MsHpc (./mshpc setup).
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time


def dolfinx_run(n):
    from mpi4py import MPI
    from petsc4py import PETSc
    import numpy as np
    import ufl
    from dolfinx import fem, la, mesh
    from dolfinx.fem.petsc import assemble_matrix, assemble_vector, create_matrix

    start = time.perf_counter()
    domain = mesh.create_unit_cube(MPI.COMM_SELF, n, n, n, mesh.CellType.hexahedron)
    V = fem.VectorFunctionSpace(domain, ("CG", 1))
    fixed = mesh.locate_entities_boundary(domain, 2, lambda x: np.isclose(x[0], 0))
    loaded = mesh.locate_entities_boundary(domain, 2, lambda x: np.isclose(x[0], 1))
    bc = fem.dirichletbc(np.zeros(3), fem.locate_dofs_topological(V, 2, fixed), V)
    u, v = ufl.TrialFunction(V), ufl.TestFunction(V)
    mu, lam = 1 / 2.6, 0.3 / (1.3 * 0.4)
    eps = lambda w: ufl.sym(ufl.grad(w))
    sigma = 2 * mu * eps(u) + lam * ufl.tr(eps(u)) * ufl.Identity(3)
    dx = ufl.Measure("dx", domain, metadata={"quadrature_degree": 2})
    tags = mesh.meshtags(domain, 2, np.sort(loaded), np.ones(len(loaded), dtype=np.int32))
    ds = ufl.Measure("ds", domain, subdomain_data=tags)
    form = fem.form(ufl.inner(sigma, eps(v)) * dx)
    load = fem.form(ufl.inner(fem.Constant(domain, np.array([0.0, 0.0, -0.01])), v) * ds(1))
    A = create_matrix(form)
    prepared = time.perf_counter()

    assemble_matrix(A, form, bcs=[bc])
    A.assemble()
    assembled = time.perf_counter()
    b = assemble_vector(load)
    fem.petsc.set_bc(b, [bc])

    basis = [la.create_petsc_vector(V.dofmap.index_map, 3) for _ in range(6)]
    x = V.tabulate_dof_coordinates()
    dofs = [V.sub(i).dofmap.list.array for i in range(3)]
    blocks = V.dofmap.list.array
    for i in range(3):
        basis[i].array[3 * blocks + i] = 1
    for k, (i, j) in enumerate([(0, 1), (1, 2), (2, 0)]):
        basis[3 + k].array[3 * blocks + j] = x[blocks, i]
        basis[3 + k].array[3 * blocks + i] = -x[blocks, j]
    la.orthonormalize(basis)
    A.setNearNullSpace(PETSc.NullSpace().create(vectors=basis))
    ksp = PETSc.KSP().create(MPI.COMM_SELF)
    ksp.setOperators(A)
    ksp.setType("cg")
    ksp.getPC().setType("gamg")
    opts = PETSc.Options()
    opts["mg_levels_ksp_type"], opts["mg_levels_pc_type"] = "chebyshev", "jacobi"
    ksp.setTolerances(rtol=1e-8)
    ksp.setFromOptions()
    begin = time.perf_counter()
    ksp.setUp()
    ready = time.perf_counter()
    u_h = b.duplicate()
    ksp.solve(b, u_h)
    done = time.perf_counter()
    return {"prepare": prepared - start, "assembly": assembled - prepared, "setup": ready - begin, "solve": done - ready,
            "iterations": ksp.getIterationNumber(), "compliance": b.dot(u_h),
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def child(command, env):
    out = subprocess.run(command, env=env, capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{out.stdout}{out.stderr}")
    return json.loads(out.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=40, help="cells per edge")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--solver", choices=["embedded", "petsc"], default="embedded")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(dolfinx_run(args.n)))
        return
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    perf = os.path.join(root, "perf", "MsHpc.Perf", "bin", "Release", "net10.0", "MsHpc.Perf.dll")
    if not os.path.exists(perf):
        sys.exit("MsHpc.Perf is not built: run ./mshpc setup first")
    env = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1",
               OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", TERM="dumb")
    peer = [sys.executable, os.path.abspath(__file__), "--child", "-n", str(args.n)]
    ours = ["dotnet", perf, "elasticity", str(args.n), args.solver]
    child(peer, env)  # compiles dolfinx' forms into its cache
    runs = [(child(peer, env), child(ours, env)) for _ in range(args.repeat)]
    reference, mine = runs[0][0]["compliance"], runs[0][1]["compliance"]
    difference = abs(mine / reference - 1)
    print(f"unit cube, {args.n}^3 hex8, one core, median of {args.repeat} interleaved runs, MsHpc solver: {args.solver}")
    print(f"compliance: dolfinx {reference:.13g}, MsHpc {mine:.13g}, relative difference {difference:.1e}")
    print(f"{'':12}{'dolfinx':>12}{'MsHpc':>12}{'dolfinx/MsHpc':>16}")
    for key, unit in [("prepare", "s"), ("assembly", "s"), ("setup", "s"), ("solve", "s"), ("memory_mb", "MB")]:
        a, b = (statistics.median(r[k][key] for r in runs) for k in (0, 1))
        print(f"{key:10}{unit:>2}{a:12.3f}{b:12.3f}{a / b:16.2f}")
    print(f"iterations  {runs[0][0]['iterations']:12}{runs[0][1]['iterations']:12}")
    if difference > 1e-6:
        sys.exit("the two answers differ")


if __name__ == "__main__":
    main()
