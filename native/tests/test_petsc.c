#define _POSIX_C_SOURCE 200809L
/* The solver on a 1D chain of springs, whose answer is known: k (2 x_i - x_{i-1} - x_{i+1}) = f. */
#include "check.h"

#include <math.h>
#include <string.h>

enum { N = 40, MOST = 3 * N };

typedef struct {
    msh_comm *comm;
    int32_t rank, size;
    int first, count; /* owned rows */
} part;

/* Every rank adds the springs whose left end it owns, so ranks write into each other's rows. */
static int64_t springs(const part *p, int fixed, int64_t *rows, int64_t *columns, double *values, double k)
{
    int64_t n = 0;
    for (int i = p->first; i < p->first + p->count; i++) {
        if (fixed && i == 0) { rows[n] = columns[n] = 0; values[n++] = k; } /* spring to the wall */
        if (i + 1 == N) continue;
        const int64_t at[2] = {i, i + 1};
        for (int a = 0; a < 2; a++)
            for (int b = 0; b < 2; b++) {
                rows[n] = at[a];
                columns[n] = at[b];
                values[n++] = a == b ? k : -k;
            }
    }
    return n;
}

static msh_solver *solver(const part *p, int kind, int fixed, const char *const *options, double *values, int64_t *count)
{
    int64_t rows[4 * N + 1], columns[4 * N + 1];
    msh_solver *s = NULL;
    *count = springs(p, fixed, rows, columns, values, 2.0);
    OK(msh_solver_create(p->comm, "test_", p->count, 1, kind, &s));
    OK(msh_solver_pattern(s, *count, rows, columns));
    for (; *options; options += 2) OK(msh_solver_option(s, options[0], options[1]));
    OK(msh_solver_setup(s));
    return s;
}

/* Pulls the free end with force 1: x_i = (i + 1) / k. */
static void solves(const part *p, int kind, const char *const *options)
{
    double values[4 * N + 1], b[N], x[N];
    int64_t count;
    msh_solve_info info;
    msh_solver *s = solver(p, kind, 1, options, values, &count);
    for (int round = 1; round <= 3; round++) { /* assembling again must not add to what was there */
        for (int64_t i = 0; i < count; i++) values[i] *= round == 1 ? 1 : round / (round - 1.0);
        OK(msh_solver_values(s, count, values));
        for (int i = 0; i < p->count; i++) {
            b[i] = p->first + i == N - 1;
            x[i] = 0;
        }
        OK(msh_solver_solve(s, b, x, &info));
        if (info.outcome != MSH_SOLVE_OK) fprintf(stderr, "%s: outcome %d reason %d\n", options[1], info.outcome, info.reason);
        CHECK(info.outcome == MSH_SOLVE_OK && info.residual < 1e-8);
        for (int i = 0; i < p->count; i++) CHECK(fabs(x[i] - (p->first + i + 1) / (2.0 * round)) < 1e-5);
    }
    OK(msh_solver_multiply(s, x, b));
    for (int i = 0; i < p->count; i++) CHECK(fabs(b[i] - (p->first + i == N - 1)) < 1e-5);
    char text[64];
    int64_t length;
    OK(msh_solver_describe(s, text, sizeof text, &length));
    CHECK(strstr(text, options[1]));
    int32_t used;
    OK(msh_solver_option_used(s, options[0], &used));
    CHECK(used == 1);
    OK(msh_solver_destroy(s));
}

static msh_solve_info outcome(const part *p, int kind, int fixed, double factor, const char *const *options)
{
    double values[4 * N + 1], b[N], x[N] = {0};
    int64_t count;
    msh_solve_info info;
    msh_solver *s = solver(p, kind, fixed, options, values, &count);
    for (int64_t i = 0; i < count; i++) values[i] *= factor;
    OK(msh_solver_values(s, count, values));
    for (int i = 0; i < p->count; i++) b[i] = p->first + i == N - 1 ? 1 : p->first + i == 0 ? -1 : 0; /* consistent when free */
    OK(msh_solver_solve(s, b, x, &info));
    OK(msh_solver_destroy(s));
    return info;
}

int main(void)
{
    static const char *const mumps[] = {"ksp_type", "preonly", "pc_type", "cholesky", "pc_factor_mat_solver_type", "mumps",
                                        "mat_mumps_icntl_13", "1", NULL};
    static const char *const lu[] = {"ksp_type", "preonly", "pc_type", "lu", "pc_factor_mat_solver_type", "mumps", NULL};
    static const char *const gamg[] = {"ksp_type", "cg", "pc_type", "gamg", "ksp_norm_type", "unpreconditioned", "ksp_rtol", "1e-10", NULL};
    static const char *const hypre[] = {"ksp_type", "gmres", "pc_type", "hypre", "ksp_rtol", "1e-10", NULL};
    static const char *const jacobi[] = {"ksp_type", "cg", "pc_type", "jacobi", "ksp_rtol", "1e-10", NULL};
    part p = {0};
    setenv("PETSC_OPTIONS", "-fromenv_pc_type sor -fromenv_ksp_rtol 1e-7 -other_pc_type lu -fromenv_ksp_divtol -1", 1);
    OK(msh_init());
    OK(msh_comm_world(&p.comm));
    OK(msh_comm_rank(p.comm, &p.rank));
    OK(msh_comm_size(p.comm, &p.size));
    p.first = N * p.rank / p.size;
    p.count = N * (p.rank + 1) / p.size - p.first;
    if (!msh_have_petsc()) {
        msh_solver *s = NULL;
        CHECK(msh_solver_create(p.comm, "test_", 1, 1, MSH_KIND_SPD, &s) == MSH_ERR_NO_PETSC);
    } else {
        int32_t has;
        msh_solver *s = NULL;
        double one = 1;
        msh_solve_info info;
        CHECK(msh_sizeof_petsc_scalar() == 8);
        CHECK(msh_solver_create(p.comm, "test", 1, 1, MSH_KIND_SPD, &s) == MSH_ERR_ARGUMENT);
        CHECK(msh_solver_create(p.comm, "test_", 5, 2, MSH_KIND_SPD, &s) == MSH_ERR_ARGUMENT);
        CHECK(msh_solver_solve(NULL, &one, &one, &info) == MSH_ERR_ARGUMENT);
        solves(&p, MSH_KIND_SPD, jacobi);
        solves(&p, MSH_KIND_SPD, gamg);
        OK(msh_petsc_has("hypre", &has));
        if (has) solves(&p, MSH_KIND_GENERAL, hypre);
        OK(msh_petsc_has("mumps", &has));
        if (has) {
            solves(&p, MSH_KIND_SPD, mumps);
            solves(&p, MSH_KIND_SYMMETRIC, mumps);
            solves(&p, MSH_KIND_GENERAL, lu);
            CHECK(outcome(&p, MSH_KIND_SPD, 0, 1, mumps).outcome == MSH_SOLVE_SINGULAR);
            CHECK(outcome(&p, MSH_KIND_GENERAL, 0, 1, lu).outcome == MSH_SOLVE_SINGULAR);
            CHECK(outcome(&p, MSH_KIND_SPD, 1, -1, mumps).outcome == MSH_SOLVE_INDEFINITE);
            CHECK(outcome(&p, MSH_KIND_SYMMETRIC, 1, -1, mumps).outcome == MSH_SOLVE_OK);
            CHECK(outcome(&p, MSH_KIND_SPD, 1, NAN, mumps).outcome == MSH_SOLVE_NONFINITE_MATRIX);
        }
        CHECK(outcome(&p, MSH_KIND_SPD, 0, 1, jacobi).outcome == MSH_SOLVE_SINGULAR);
        CHECK(outcome(&p, MSH_KIND_SPD, 1, -1, jacobi).outcome == MSH_SOLVE_INDEFINITE);
        /* What the user gave to PETSc wins over what the program says, and each solver has its own section. */
        int64_t length;
        char value[32];
        OK(msh_solver_create(p.comm, "fromenv_", p.count, 1, MSH_KIND_SPD, &s));
        OK(msh_solver_option(s, "pc_type", "jacobi"));
        OK(msh_solver_option(s, "ksp_type", "cg"));
        OK(msh_solver_option_get(s, "pc_type", value, sizeof value, &length));
        CHECK(length == 3 && !strcmp(value, "sor"));
        OK(msh_solver_option_get(s, "ksp_rtol", value, sizeof value, &length));
        CHECK(!strcmp(value, "1e-7"));
        OK(msh_solver_option_get(s, "ksp_divtol", value, sizeof value, &length));
        CHECK(!strcmp(value, "-1"));
        OK(msh_solver_option_get(s, "ksp_max_it", value, sizeof value, &length));
        CHECK(length == -1);
        OK(msh_solver_destroy(s));
        s = NULL;
        /* An unknown type is PETSc's error with PETSc's text, and the solver can still be destroyed. */
        OK(msh_solver_create(p.comm, "test_", p.count, 1, MSH_KIND_SPD, &s));
        OK(msh_solver_option(s, "ksp_type", "cgg"));
        CHECK(msh_solver_setup(s) == MSH_ERR_STATE);
        OK(msh_solver_pattern(s, 0, NULL, NULL));
        CHECK(msh_solver_setup(s) == MSH_ERR_PETSC);
        char text[512];
        msh_last_error(text, sizeof text);
        CHECK(strstr(text, "cgg"));
        OK(msh_solver_destroy(s));
    }
    OK(msh_comm_free(p.comm));
    OK(msh_finalize());
    return 0;
}
