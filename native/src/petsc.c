/* PETSc: one matrix, one Krylov solver, one preconditioner, chosen by PETSc's own option names. */
#define _POSIX_C_SOURCE 200809L

#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef MSH_HAVE_PETSC

#include <math.h>
#include <petscksp.h>
#include <stdint.h>

_Static_assert(sizeof(PetscScalar) == sizeof(double), "MsHpc needs PETSc with real double scalars");

/* A condition number of the scaled matrix beyond this leaves no digit that can be trusted: the matrix counts as singular. */
static const double SINGULAR_CONDITION = 1e13;

/* Residual that a direct solver must reach, and the one at which refinement stops trying. */
static const double DIRECT_ACCEPT = 1e-8, DIRECT_GOAL = 1e-13;

/* Smallest Rayleigh quotient, relative to the largest entry, that the near-nullspace may have before it is a nullspace: rounding of
 * m'Am is a few units of 1e-16, while one restrained unknown among 1e8 still gives 1e-8. */
static const double NULLSPACE = 1e-14;

enum { MAX_PREFIX = 96, MAX_NAME = 256, MAX_MODES = 16, MEMORY_RETRIES = 3, REFINEMENTS = 4 };

struct msh_solver {
    MPI_Comm comm;
    PetscInt rows;
    int kind;
    Mat matrix;
    KSP ksp;
    Vec b, x, r, dx, scale;
    Vec modes[MAX_MODES];
    int mode_count;
    char prefix[MAX_PREFIX]; /* this solver's own section of the options database */
    char **options;          /* full names with dash, cleared from the database at the end */
    int option_count;
    int64_t entries;
    int has_pattern, ready, has_values;
    int direct, preonly;
    int finite;             /* the values are */
    int fresh;              /* values changed since the last factorisation */
    msh_solve_info factor;  /* what is known of the current factorisation; outcome OK when it can be used */
};

static int started_petsc;

/* ---- errors ---- */

static PetscErrorCode collect(MPI_Comm comm, int line, const char *function, const char *file, PetscErrorCode code, PetscErrorType type,
                              const char *message, void *context)
{
    (void)comm;
    (void)line;
    (void)file;
    (void)context;
    if (type == PETSC_ERROR_INITIAL) {
        const char *text = NULL;
        PetscErrorMessage(code, &text, NULL);
        msh_fail(MSH_ERR_PETSC, (int32_t)code, "PETSc error %d (%s) in %s: %s", (int)code, text ? text : "unknown",
                 function ? function : "?", message ? message : "");
    } else if (function && function[0] && strcmp(function, "User provided function")) {
        msh_fail_append(" < %s", function);
    }
    return code;
}

/* Runs one PETSc function under our error collector: PETSc prints nothing and the caller gets the text. */
#define PETSC_GUARD(call)                                           \
    do {                                                            \
        PetscPushErrorHandler(collect, NULL);                       \
        PetscErrorCode code_ = (call);                              \
        PetscPopErrorHandler();                                     \
        return code_ == PETSC_SUCCESS_ ? MSH_OK : MSH_ERR_PETSC;    \
    } while (0)
#define PETSC_SUCCESS_ 0

static PetscErrorCode ignore(MPI_Comm comm, int line, const char *function, const char *file, PetscErrorCode code, PetscErrorType type,
                             const char *message, void *context)
{
    (void)comm;
    (void)line;
    (void)function;
    (void)file;
    (void)type;
    (void)message;
    (void)context;
    return code;
}

/* ---- start and end ---- */

/* OpenBLAS threads would make results depend on the machine; the user's own setting wins. Absent with another BLAS. */
extern void openblas_set_num_threads(int) __attribute__((weak));

static PetscErrorCode start(void)
{
    /* Before PetscInitialize: with PETSc's handlers a caught NullReferenceException of the CLR ends the job. */
    PetscCall(PetscOptionsSetValue(NULL, "-no_signal_handler", "true"));
    PetscCall(PetscOptionsSetValue(NULL, "-options_left", "no"));
    PetscCall(PetscInitializeNoArguments());
    return 0;
}

int32_t msh_petsc_start(void)
{
    PetscBool done = PETSC_FALSE;
    PetscInitialized(&done);
    if (done) return MSH_OK;
    PetscErrorCode code = start();
    if (code) return msh_fail(MSH_ERR_PETSC, (int32_t)code, "PetscInitialize failed with code %d", (int)code);
    started_petsc = 1;
    if (openblas_set_num_threads && !getenv("OPENBLAS_NUM_THREADS") && !getenv("OMP_NUM_THREADS")) openblas_set_num_threads(1);
    return MSH_OK;
}

int32_t msh_petsc_stop(void)
{
    if (!started_petsc) return MSH_OK;
    started_petsc = 0;
    PetscErrorCode code = PetscFinalize();
    return code ? msh_fail(MSH_ERR_PETSC, (int32_t)code, "PetscFinalize failed with code %d", (int)code) : MSH_OK;
}

int64_t msh_petsc_version(char *text, int64_t capacity)
{
    char line[128];
    PetscInt major = 0, minor = 0, sub = 0;
    PetscGetVersionNumber(&major, &minor, &sub, NULL);
    snprintf(line, sizeof line, "PETSc %d.%d.%d", (int)major, (int)minor, (int)sub);
    return msh_copy_text(line, text, capacity);
}

int32_t msh_sizeof_petsc_int(void) { return (int32_t)sizeof(PetscInt); }

int32_t msh_sizeof_petsc_scalar(void) { return (int32_t)sizeof(PetscScalar); }

int32_t msh_have_petsc(void) { return 1; }

int32_t msh_petsc_has(const char *package, int32_t *flag)
{
    MSH_ENTER();
    MSH_REQUIRE(package && flag, "msh_petsc_has: null argument");
    PetscBool has = PETSC_FALSE;
    PetscErrorCode code = PetscHasExternalPackage(package, &has);
    if (code) return msh_fail(MSH_ERR_PETSC, (int32_t)code, "msh_petsc_has: PETSc error %d", (int)code);
    *flag = has == PETSC_TRUE;
    return MSH_OK;
}

/* ---- options ---- */

static PetscErrorCode remember(msh_solver *s, const char *full)
{
    char **grown = realloc(s->options, sizeof *grown * (size_t)(s->option_count + 1));
    PetscCheck(grown, PETSC_COMM_SELF, PETSC_ERR_MEM, "no memory for an option");
    s->options = grown;
    grown[s->option_count] = strdup(full);
    PetscCheck(grown[s->option_count], PETSC_COMM_SELF, PETSC_ERR_MEM, "no memory for an option");
    s->option_count++;
    return 0;
}

static PetscErrorCode set_option(msh_solver *s, const char *name, const char *value)
{
    char full[MAX_NAME];
    PetscBool set = PETSC_FALSE;
    int length = snprintf(full, sizeof full, "-%s%s", s->prefix, name);
    PetscCheck(length > 0 && length < MAX_NAME, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "option name too long: %s", name);
    PetscCheck((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z'), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG,
               "option name '%s' does not begin with a letter", name);
    for (int i = 0; i < s->option_count; i++)
        if (!strcmp(s->options[i], full)) set = PETSC_TRUE;
    if (set) return 0;
    PetscCall(PetscOptionsSetValue(NULL, full, value && value[0] ? value : NULL));
    return remember(s, full);
}

/* Copies "-<user prefix>name value" of the database (PETSC_OPTIONS, command line) into this solver's section. */
static PetscErrorCode inherit(msh_solver *s, const char *user_prefix)
{
    char *all = NULL;
    const size_t skip = strlen(user_prefix);
    PetscCall(PetscOptionsGetAll(NULL, &all));
    for (char *at = all; at && *at;) {
        /* One option: from its dash to the next " -letter". A negative number is a value. */
        char *end = at + 1;
        while (*end && !(end[0] == ' ' && end[1] == '-' && ((end[2] | 32) >= 'a' && (end[2] | 32) <= 'z'))) end++;
        char *next = *end ? end + 1 : end;
        *end = '\0';
        if (at[0] == '-' && !strncmp(at + 1, user_prefix, skip) && at[1 + skip]) {
            char *value = strchr(at, ' ');
            PetscBool touched;
            if (value) *value++ = '\0';
            while (value && *value && value[strlen(value) - 1] == ' ') value[strlen(value) - 1] = '\0';
            PetscCall(PetscOptionsHasName(NULL, NULL, at, &touched)); /* counts as used */
            PetscCall(set_option(s, at + 1 + skip, value));
        }
        at = next;
    }
    PetscCall(PetscFree(all));
    return 0;
}

int32_t msh_solver_option(msh_solver *solver, const char *name, const char *value)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && name, "msh_solver_option: null argument");
    if (solver->ready) return msh_fail(MSH_ERR_STATE, 0, "msh_solver_option: the options were read already");
    PETSC_GUARD(set_option(solver, name, value));
}

int32_t msh_solver_option_get(const msh_solver *solver, const char *name, char *text, int64_t capacity, int64_t *length)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && name && length, "msh_solver_option_get: null argument");
    char full[MAX_NAME], value[PETSC_MAX_OPTION_NAME] = "";
    int n = snprintf(full, sizeof full, "-%s%s", solver->prefix, name);
    MSH_REQUIRE(n > 0 && n < MAX_NAME, "msh_solver_option_get: name too long");
    int64_t found = -1;
    for (int i = 0; i < solver->option_count && found < 0; i++)
        if (!strcmp(solver->options[i], full)) {
            PetscBool set = PETSC_FALSE;
            PetscErrorCode code = PetscOptionsGetString(NULL, NULL, full, value, sizeof value, &set);
            if (code) return msh_fail(MSH_ERR_PETSC, (int32_t)code, "msh_solver_option_get: PETSc error %d", (int)code);
            found = 0;
        }
    *length = found < 0 ? -1 : msh_copy_text(value, text, capacity);
    return MSH_OK;
}

int32_t msh_solver_option_used(const msh_solver *solver, const char *name, int32_t *used)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && name && used, "msh_solver_option_used: null argument");
    char full[MAX_NAME];
    PetscBool flag = PETSC_FALSE;
    int length = snprintf(full, sizeof full, "-%s%s", solver->prefix, name);
    MSH_REQUIRE(length > 0 && length < MAX_NAME, "msh_solver_option_used: name too long");
    PetscErrorCode code = PetscOptionsUsed(NULL, full + 1, &flag); /* this one function wants no dash */
    if (code) return msh_fail(MSH_ERR_PETSC, (int32_t)code, "msh_solver_option_used: PETSc error %d", (int)code);
    *used = flag == PETSC_TRUE;
    return MSH_OK;
}

/* ---- life of a solver ---- */

static PetscErrorCode destroy(msh_solver *s)
{
    PetscCall(KSPDestroy(&s->ksp));
    PetscCall(MatDestroy(&s->matrix));
    PetscCall(VecDestroy(&s->b));
    PetscCall(VecDestroy(&s->x));
    PetscCall(VecDestroy(&s->r));
    PetscCall(VecDestroy(&s->dx));
    PetscCall(VecDestroy(&s->scale));
    for (int k = 0; k < s->mode_count; k++) PetscCall(VecDestroy(&s->modes[k]));
    for (int k = 0; k < s->option_count; k++) {
        PetscCall(PetscOptionsClearValue(NULL, s->options[k]));
        free(s->options[k]);
    }
    free(s->options);
    free(s);
    return 0;
}

static PetscErrorCode create(msh_solver *s, const char *prefix, int32_t block)
{
    static unsigned serial; /* the same on all ranks that create the same solvers; only its uniqueness on this rank matters */
    snprintf(s->prefix, sizeof s->prefix, "mshpc%u_%s", ++serial, prefix);
    PetscCall(inherit(s, prefix));
    PetscCall(MatCreate(s->comm, &s->matrix));
    PetscCall(MatSetSizes(s->matrix, s->rows, s->rows, PETSC_DETERMINE, PETSC_DETERMINE));
    PetscCall(MatSetBlockSize(s->matrix, block));
    PetscCall(MatSetType(s->matrix, MATAIJ));
    if (s->kind == MSH_KIND_SPD) {
        PetscCall(MatSetOption(s->matrix, MAT_SPD, PETSC_TRUE));
        PetscCall(MatSetOption(s->matrix, MAT_SPD_ETERNAL, PETSC_TRUE));
    } else if (s->kind == MSH_KIND_SYMMETRIC) {
        PetscCall(MatSetOption(s->matrix, MAT_SYMMETRIC, PETSC_TRUE));
        PetscCall(MatSetOption(s->matrix, MAT_SYMMETRY_ETERNAL, PETSC_TRUE));
    }
    PetscCall(KSPCreate(s->comm, &s->ksp));
    PetscCall(KSPSetOptionsPrefix(s->ksp, s->prefix));
    return 0;
}

int32_t msh_solver_create(const msh_comm *comm, const char *prefix, int64_t rows, int32_t block, int32_t kind, msh_solver **solver)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && prefix && solver, "msh_solver_create: null argument");
    MSH_REQUIRE(rows >= 0 && block >= 1 && rows % block == 0, "msh_solver_create: %lld rows in blocks of %d", (long long)rows, (int)block);
    MSH_REQUIRE(kind >= MSH_KIND_GENERAL && kind <= MSH_KIND_SPD, "msh_solver_create: unknown kind %d", (int)kind);
    const size_t length = strlen(prefix);
    MSH_REQUIRE(length >= 2 && length < MAX_PREFIX - 16 && prefix[length - 1] == '_',
                "msh_solver_create: prefix '%s' must end with an underscore and have less than %d characters", prefix, MAX_PREFIX - 16);
    int64_t total = rows;
    int32_t status = msh_sum_i64(comm, &total, 1);
    if (status != MSH_OK) return status;
    if (total > PETSC_MAX_INT)
        return msh_fail(MSH_ERR_RANGE, 0, "msh_solver_create: %lld unknowns; this PETSc counts to %lld", (long long)total,
                        (long long)PETSC_MAX_INT);
    msh_solver *s = calloc(1, sizeof *s);
    if (!s) return msh_fail(MSH_ERR_MEMORY, 0, "msh_solver_create: no memory");
    s->comm = comm->comm;
    s->rows = (PetscInt)rows;
    s->kind = kind;
    PetscPushErrorHandler(collect, NULL);
    PetscErrorCode code = create(s, prefix, block);
    PetscPopErrorHandler();
    if (code) { /* keep the text of the first failure */
        PetscPushErrorHandler(ignore, NULL);
        destroy(s);
        PetscPopErrorHandler();
        return MSH_ERR_PETSC;
    }
    *solver = s;
    return MSH_OK;
}

int32_t msh_solver_destroy(msh_solver *solver)
{
    if (!solver) return MSH_OK;
    MSH_ENTER();
    PETSC_GUARD(destroy(solver));
}

/* ---- pattern, modes, options, values ---- */

static PetscErrorCode pattern(msh_solver *s, PetscInt *rows, PetscInt *columns)
{
    PetscBool parallel;
    PetscCall(MatSetPreallocationCOO(s->matrix, (PetscCount)s->entries, rows, columns));
    PetscCall(PetscObjectTypeCompare((PetscObject)s->matrix, MATMPIAIJ, &parallel));
    if (parallel) { /* the COO preallocation forgets the block size of the local part; pbjacobi would then read beyond its array */
        Mat diagonal;
        PetscInt block;
        PetscCall(MatGetBlockSize(s->matrix, &block));
        PetscCall(MatMPIAIJGetSeqAIJ(s->matrix, &diagonal, NULL, NULL));
        PetscCall(MatSetBlockSize(diagonal, block));
    }
    PetscCall(MatCreateVecs(s->matrix, &s->x, &s->b));
    PetscCall(VecDuplicate(s->b, &s->r));
    PetscCall(VecDuplicate(s->b, &s->dx));
    PetscCall(VecDuplicate(s->b, &s->scale));
    PetscCall(KSPSetOperators(s->ksp, s->matrix, s->matrix));
    s->has_pattern = 1;
    return 0;
}

int32_t msh_solver_pattern(msh_solver *solver, int64_t count, const int64_t *rows, const int64_t *columns)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && count >= 0 && ((rows && columns) || count == 0), "msh_solver_pattern: null or negative argument");
    if (solver->has_pattern) return msh_fail(MSH_ERR_STATE, 0, "msh_solver_pattern: the pattern is set already");
    PetscInt total = 0;
    MatGetSize(solver->matrix, &total, NULL);
    if (total < 0) { /* layout not set up yet: sum again */
        int64_t sum = solver->rows;
        MSH_MPI(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT64_T, MPI_SUM, solver->comm));
        total = (PetscInt)sum;
    }
    /* PETSc changes the arrays: these are copies anyway, since our indices are wider. A bad index must fail on all ranks. */
    PetscInt *copy = malloc(sizeof *copy * 2 * (size_t)(count + 1));
    int bad = copy == NULL;
    int64_t where = -1;
    for (int64_t k = 0; k < count && !bad; k++) {
        if (rows[k] < 0 || rows[k] >= total || columns[k] < 0 || columns[k] >= total) {
            bad = 1;
            where = k;
        } else {
            copy[k] = (PetscInt)rows[k];
            copy[count + k] = (PetscInt)columns[k];
        }
    }
    int any = bad;
    int code = MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, solver->comm);
    if (code != MPI_SUCCESS || any) {
        free(copy);
        if (code != MPI_SUCCESS) return msh_check_mpi(code, __func__);
        if (!bad) return msh_fail(MSH_ERR_ARGUMENT, 0, "msh_solver_pattern: another rank gave an index out of range");
        if (where < 0) return msh_fail(MSH_ERR_MEMORY, 0, "msh_solver_pattern: no memory");
        return msh_fail(MSH_ERR_ARGUMENT, 0, "msh_solver_pattern: entry %lld is (%lld, %lld) of %lld unknowns", (long long)where,
                        (long long)rows[where], (long long)columns[where], (long long)total);
    }
    solver->entries = count;
    PetscPushErrorHandler(collect, NULL);
    PetscErrorCode failed = pattern(solver, copy, copy + count);
    PetscPopErrorHandler();
    free(copy);
    return failed ? MSH_ERR_PETSC : MSH_OK;
}

static PetscErrorCode put(Vec v, const double *values, PetscInt n)
{
    PetscScalar *a;
    PetscCall(VecGetArrayWrite(v, &a));
    if (n > 0) memcpy(a, values, sizeof(double) * (size_t)n);
    PetscCall(VecRestoreArrayWrite(v, &a));
    return 0;
}

static PetscErrorCode get(Vec v, double *values, PetscInt n)
{
    const PetscScalar *a;
    PetscCall(VecGetArrayRead(v, &a));
    if (n > 0) memcpy(values, a, sizeof(double) * (size_t)n);
    PetscCall(VecRestoreArrayRead(v, &a));
    return 0;
}

static PetscErrorCode near_nullspace(msh_solver *s, int32_t count, const double *vectors)
{
    MatNullSpace space;
    for (int32_t m = 0; m < count; m++) {
        Vec v;
        PetscReal before, after;
        PetscCall(VecDuplicate(s->b, &v));
        PetscCall(put(v, vectors + (size_t)m * (size_t)s->rows, s->rows));
        PetscCall(VecNorm(v, NORM_2, &before));
        for (int pass = 0; pass < 2; pass++) /* Gram-Schmidt twice is enough (Kahan) */
            for (int k = 0; k < s->mode_count; k++) {
                PetscScalar dot;
                PetscCall(VecDot(v, s->modes[k], &dot));
                PetscCall(VecAXPY(v, -dot, s->modes[k]));
            }
        PetscCall(VecNorm(v, NORM_2, &after));
        if (!(after > 1e-8 * before)) { /* dependent on the others, or zero */
            PetscCall(VecDestroy(&v));
            continue;
        }
        PetscCall(VecScale(v, 1.0 / after));
        s->modes[s->mode_count++] = v;
    }
    PetscCall(MatNullSpaceCreate(s->comm, PETSC_FALSE, s->mode_count, s->modes, &space));
    PetscCall(MatSetNearNullSpace(s->matrix, space));
    PetscCall(MatNullSpaceDestroy(&space));
    return 0;
}

int32_t msh_solver_near_nullspace(msh_solver *solver, int32_t modes, const double *vectors)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && modes >= 1 && modes <= MAX_MODES && (vectors || solver->rows == 0),
                "msh_solver_near_nullspace: null argument, or not 1 to %d modes", MAX_MODES);
    if (!solver->has_pattern || solver->ready || solver->mode_count)
        return msh_fail(MSH_ERR_STATE, 0, "msh_solver_near_nullspace: comes once, after the pattern and before the setup");
    PETSC_GUARD(near_nullspace(solver, modes, vectors));
}

static PetscErrorCode setup(msh_solver *s)
{
    PC pc;
    PetscBool direct, preonly;
    PetscCall(KSPSetFromOptions(s->ksp));
    PetscCall(KSPGetPC(s->ksp, &pc));
    PetscCall(PetscObjectTypeCompareAny((PetscObject)pc, &direct, PCLU, PCCHOLESKY, ""));
    PetscCall(PetscObjectTypeCompare((PetscObject)s->ksp, KSPPREONLY, &preonly));
    s->direct = direct == PETSC_TRUE;
    s->preonly = preonly == PETSC_TRUE;
    if (!s->preonly) PetscCall(KSPSetInitialGuessNonzero(s->ksp, PETSC_TRUE));
    PetscCall(KSPSetErrorIfNotConverged(s->ksp, PETSC_FALSE)); /* failing to converge is a result here */
    s->ready = 1;
    return 0;
}

int32_t msh_solver_setup(msh_solver *solver)
{
    MSH_ENTER();
    MSH_REQUIRE(solver, "msh_solver_setup: solver is null");
    if (!solver->has_pattern || solver->ready) return msh_fail(MSH_ERR_STATE, 0, "msh_solver_setup: comes once, after the pattern");
    PETSC_GUARD(setup(solver));
}

static PetscErrorCode set_values(msh_solver *s, const double *values)
{
    static const double none;
    int finite = 1;
    for (int64_t k = 0; k < s->entries; k++) finite &= isfinite(values[k]) != 0;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &finite, 1, MPI_INT, MPI_MIN, s->comm));
    s->finite = finite;
    s->fresh = s->has_values = 1;
    PetscCall(MatSetValuesCOO(s->matrix, s->entries > 0 ? values : &none, INSERT_VALUES)); /* repeated entries add up */
    return KSPSetOperators(s->ksp, s->matrix, s->matrix); /* else KSPSetUp takes the matrix for unchanged once it has solved */
}

int32_t msh_solver_values(msh_solver *solver, int64_t count, const double *values)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && (values || count == 0), "msh_solver_values: null argument");
    if (!solver->has_pattern) return msh_fail(MSH_ERR_STATE, 0, "msh_solver_values: no pattern yet");
    MSH_REQUIRE(count == solver->entries, "msh_solver_values: %lld values for %lld entries", (long long)count, (long long)solver->entries);
    PETSC_GUARD(set_values(solver, values));
}

static PetscErrorCode multiply(msh_solver *s, const double *x, double *result)
{
    PetscCall(put(s->dx, x, s->rows));
    PetscCall(MatMult(s->matrix, s->dx, s->r));
    return get(s->r, result, s->rows);
}

int32_t msh_solver_multiply(msh_solver *solver, const double *x, double *result)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && ((x && result) || solver->rows == 0), "msh_solver_multiply: null argument");
    if (!solver->has_values) return msh_fail(MSH_ERR_STATE, 0, "msh_solver_multiply: the matrix has no values yet");
    PETSC_GUARD(multiply(solver, x, result));
}

/* ---- solve ---- */

static PetscErrorCode true_residual(msh_solver *s, PetscReal *norm)
{
    PetscCall(MatMult(s->matrix, s->x, s->r));
    PetscCall(VecAYPX(s->r, -1.0, s->b));
    PetscCall(VecNorm(s->r, NORM_2, norm));
    return 0;
}

/* Lower bound of the condition number of D A D with D = diag(max_j |a_ij|)^-1/2, whose entries are at most 1 and whose norm is at least 1:
 * |(D A D)^-1 v| for unit v, v from two steps of inverse iteration, so that a null vector is found whatever the right-hand side is. */
static PetscErrorCode condition(msh_solver *s, PC pc, double *bound)
{
    PetscReal norm, smallest;
    PetscScalar *v;
    PetscInt begin, at;
    *bound = 0;
    PetscCall(MatGetRowMaxAbs(s->matrix, s->scale, NULL));
    PetscCall(VecMin(s->scale, &at, &smallest));
    if (!(smallest > 0)) { /* an empty row */
        *bound = HUGE_VAL;
        return 0;
    }
    PetscCall(VecSqrtAbs(s->scale));
    PetscCall(VecGetOwnershipRange(s->r, &begin, NULL));
    PetscCall(VecGetArrayWrite(s->r, &v));
    for (PetscInt i = 0; i < s->rows; i++) { /* fixed pseudo-random direction (Weyl sequence) with both signs */
        double w = 0.6180339887498949 * (double)(begin + i + 1);
        v[i] = w - floor(w) - 0.5 + ((begin + i) & 1 ? 0.75 : -0.75);
    }
    PetscCall(VecRestoreArrayWrite(s->r, &v));
    PetscCall(VecNormalize(s->r, &norm));
    for (int step = 0; step < 2; step++) {
        PetscCall(VecPointwiseMult(s->r, s->r, s->scale));
        PetscCall(PCApply(pc, s->r, s->dx));
        PetscCall(VecPointwiseMult(s->r, s->dx, s->scale));
        PetscCall(VecNorm(s->r, NORM_2, &norm));
        if (!isfinite(norm)) {
            *bound = HUGE_VAL;
            return 0;
        }
        if (norm > *bound) *bound = norm;
        if (!(norm > 0)) return 0;
        PetscCall(VecScale(s->r, 1.0 / norm));
    }
    return 0;
}

/* Signs of the pivots, where the package knows them. */
static PetscErrorCode pivots(msh_solver *s, PC pc, msh_solve_info *info)
{
    Mat factor = NULL;
    MatSolverType package = NULL;
    PetscBool cholesky, mumps = PETSC_FALSE, petsc = PETSC_FALSE;
    PetscCall(PetscObjectTypeCompare((PetscObject)pc, PCCHOLESKY, &cholesky));
    PetscCall(PCFactorGetMatrix(pc, &factor));
    if (!factor) return 0;
    PetscCall(MatFactorGetSolverType(factor, &package));
    PetscCall(PetscStrcmp(package, MATSOLVERMUMPS, &mumps));
    PetscCall(PetscStrcmp(package, MATSOLVERPETSC, &petsc));
#if defined(PETSC_HAVE_MUMPS)
    if (mumps) {
        PetscInt value = 0;
        PetscCall(MatMumpsGetInfog(factor, 1, &value));
        info->mumps_infog1 = (int32_t)value;
        PetscCall(MatMumpsGetInfog(factor, 2, &value));
        info->mumps_infog2 = (int32_t)value;
        if (info->mumps_infog1 < 0) return 0;
        PetscCall(MatMumpsGetInfog(factor, 28, &value));
        info->null_pivots = value;
        if (cholesky) {
            PetscCall(MatMumpsGetInfog(factor, 12, &value));
            info->negative_pivots = value;
        }
    }
#endif
    if (petsc && cholesky && info->pc_reason == PC_NOERROR) {
        PetscInt negative = 0, zero = 0, positive = 0;
        PetscCall(PetscPushErrorHandler(ignore, NULL)); /* some block sizes do not provide it */
        PetscErrorCode unknown = MatGetInertia(factor, &negative, &zero, &positive);
        PetscCall(PetscPopErrorHandler());
        if (!unknown) {
            info->negative_pivots = negative;
            info->null_pivots = zero;
        }
    }
    (void)s;
    return 0;
}

static PetscErrorCode failed_reason(msh_solver *s, PC pc, int32_t *reason)
{
    PCFailedReason mine = PC_NOERROR;
    PetscCall(PCGetFailedReason(pc, &mine));
    int all = (int)mine < 0 ? (int)PC_FACTOR_OTHER : (int)mine;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MAX, s->comm));
    *reason = all;
    return 0;
}

/* Throws a failed factorisation away: PETSc's MUMPS interface skips every later one while it remembers an error. */
static PetscErrorCode forget_factor(msh_solver *s, PC pc)
{
    PetscCall(PCReset(pc));
    return KSPSetOperators(s->ksp, s->matrix, s->matrix);
}

/* Factors the matrix and judges the factorisation; the judgement is kept for the solves that follow. */
static PetscErrorCode factorize(msh_solver *s)
{
    PC pc;
    msh_solve_info *info = &s->factor;
    PetscCall(KSPGetPC(s->ksp, &pc));
    if (info->pc_reason != PC_NOERROR) PetscCall(forget_factor(s, pc)); /* the last one failed */
    for (int attempt = 0;; attempt++) {
        memset(info, 0, sizeof *info);
        info->negative_pivots = info->null_pivots = -1;
        PetscCall(KSPSetUp(s->ksp));
        PetscCall(failed_reason(s, pc, &info->pc_reason));
        PetscCall(pivots(s, pc, info));
        if (info->pc_reason != PC_FACTOR_OUTMEMORY || attempt == MEMORY_RETRIES) break;
        if (info->mumps_infog1 != -8 && info->mumps_infog1 != -9) break;
        /* MUMPS guessed its workspace too small: give it more (percent) and factor again. */
        char full[MAX_NAME], percent[16];
        snprintf(full, sizeof full, "-%smat_mumps_icntl_14", s->prefix);
        snprintf(percent, sizeof percent, "%d", 200 << (2 * attempt));
        PetscCall(set_option(s, "mat_mumps_icntl_14", percent)); /* so that it is cleared at the end */
        PetscCall(PetscOptionsSetValue(NULL, full, percent));
        PetscCall(forget_factor(s, pc));
    }
    s->fresh = 0;
    if (info->pc_reason != PC_NOERROR) {
        const int zero_pivot = info->pc_reason == PC_FACTOR_STRUCT_ZEROPIVOT || info->pc_reason == PC_FACTOR_NUMERIC_ZEROPIVOT;
        info->outcome = info->pc_reason == PC_FACTOR_OUTMEMORY ? MSH_SOLVE_OUT_OF_MEMORY
                        : zero_pivot                           ? MSH_SOLVE_SINGULAR
                        : info->mumps_infog1 == -40            ? MSH_SOLVE_INDEFINITE
                                                               : MSH_SOLVE_PC_FAILED;
        return 0;
    }
    PetscCall(condition(s, pc, &info->condition));
    if (info->null_pivots > 0 || !(info->condition < SINGULAR_CONDITION))
        info->outcome = MSH_SOLVE_SINGULAR;
    else if (s->kind == MSH_KIND_SPD && info->negative_pivots > 0)
        info->outcome = MSH_SOLVE_INDEFINITE;
    return 0;
}

/* Whether the span of the modes (or the constant vector, when there are none) holds a null vector or a direction of negative energy:
 * Cholesky of M'AM - threshold I. Krylov methods cannot see it when the right-hand side happens to be consistent. */
static PetscErrorCode judge_modes(msh_solver *s)
{
    double gram[MAX_MODES][MAX_MODES];
    PetscReal largest;
    const int n = s->mode_count ? s->mode_count : 1;
    memset(&s->factor, 0, sizeof s->factor);
    s->factor.negative_pivots = s->factor.null_pivots = -1;
    s->fresh = 0;
    if (s->kind != MSH_KIND_SPD) return 0;
    PetscCall(MatGetRowMaxAbs(s->matrix, s->scale, NULL));
    PetscCall(VecMax(s->scale, NULL, &largest));
    if (!s->mode_count) {
        PetscInt total;
        PetscCall(VecGetSize(s->scale, &total));
        PetscCall(VecSet(s->scale, total > 0 ? 1.0 / sqrt((double)total) : 0.0));
    }
    for (int i = 0; i < n; i++) {
        Vec mode = s->mode_count ? s->modes[i] : s->scale;
        PetscCall(MatMult(s->matrix, mode, s->r));
        for (int j = 0; j <= i; j++) PetscCall(VecDot(s->r, s->mode_count ? s->modes[j] : s->scale, &gram[i][j]));
        gram[i][i] -= NULLSPACE * largest;
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = gram[i][j];
            for (int k = 0; k < j; k++) sum -= gram[i][k] * gram[j][k];
            if (j < i) {
                gram[i][j] = sum / gram[j][j];
            } else if (sum > 0) {
                gram[i][i] = sqrt(sum);
            } else {
                s->factor.outcome = sum < -1e-10 * largest ? MSH_SOLVE_INDEFINITE : MSH_SOLVE_SINGULAR;
                return 0;
            }
        }
    return 0;
}

/* x = F^-1 b, improved by x += F^-1 (b - A x) while that helps. */
static PetscErrorCode solve_direct(msh_solver *s, PetscReal norm_b, PetscReal *norm_r, msh_solve_info *info)
{
    KSPConvergedReason reason;
    PetscCall(KSPSolve(s->ksp, s->b, s->x));
    PetscCall(KSPGetConvergedReason(s->ksp, &reason));
    info->reason = (int32_t)reason;
    PetscCall(true_residual(s, norm_r));
    while (info->iterations < REFINEMENTS && isfinite(*norm_r) && *norm_r > DIRECT_GOAL * norm_b) {
        PetscReal before = *norm_r;
        PetscCall(KSPSolve(s->ksp, s->r, s->dx));
        PetscCall(VecAXPY(s->x, 1.0, s->dx));
        PetscCall(true_residual(s, norm_r));
        info->iterations++;
        if (!(*norm_r <= before)) { /* worse: take the step back */
            PetscCall(VecAXPY(s->x, -1.0, s->dx));
            PetscCall(true_residual(s, norm_r));
            break;
        }
        if (*norm_r > 0.5 * before) break;
    }
    info->outcome = !isfinite(*norm_r)                    ? MSH_SOLVE_NONFINITE_SOLUTION
                    : *norm_r <= DIRECT_ACCEPT * norm_b   ? MSH_SOLVE_OK
                                                          : MSH_SOLVE_INACCURATE;
    return 0;
}

/* Krylov until the true residual meets the tolerance: a method that watches another norm is restarted with a tighter one. */
static PetscErrorCode solve_iterative(msh_solver *s, PetscReal norm_b, PetscReal *norm_r, msh_solve_info *info)
{
    PetscReal rtol, atol, dtol, now;
    PetscInt most, done;
    KSPConvergedReason reason = KSP_CONVERGED_ITERATING;
    PetscCall(KSPGetTolerances(s->ksp, &rtol, &atol, &dtol, &most));
    const PetscReal target = PetscMax(2 * rtol * norm_b, atol); /* 2: rounding between the recursive and the true residual */
    now = rtol;
    for (int pass = 0; pass < 5; pass++) {
        PetscCall(KSPSolve(s->ksp, s->b, s->x));
        PetscCall(KSPGetConvergedReason(s->ksp, &reason));
        PetscCall(KSPGetIterationNumber(s->ksp, &done));
        info->iterations += (int32_t)done;
        PetscCall(true_residual(s, norm_r));
        if (reason < 0 || !isfinite(*norm_r) || *norm_r <= target) break;
        now = PetscMax(now * 0.5 * target / *norm_r, 1e-16);
        PetscCall(KSPSetTolerances(s->ksp, now, atol, dtol, most));
    }
    if (now != rtol) PetscCall(KSPSetTolerances(s->ksp, rtol, atol, dtol, most));
    info->reason = (int32_t)reason;
    if (reason == KSP_DIVERGED_PC_FAILED) {
        PC pc;
        PetscCall(KSPGetPC(s->ksp, &pc));
        PetscCall(failed_reason(s, pc, &info->pc_reason));
    }
    if (s->kind == MSH_KIND_SPD && (reason == KSP_DIVERGED_INDEFINITE_MAT || reason == KSP_DIVERGED_INDEFINITE_PC))
        info->outcome = MSH_SOLVE_INDEFINITE;
    else if (reason == KSP_DIVERGED_PC_FAILED)
        info->outcome = s->direct && (info->pc_reason == PC_FACTOR_STRUCT_ZEROPIVOT || info->pc_reason == PC_FACTOR_NUMERIC_ZEROPIVOT)
                            ? MSH_SOLVE_SINGULAR
                            : MSH_SOLVE_PC_FAILED;
    else if (!isfinite(*norm_r))
        info->outcome = MSH_SOLVE_NONFINITE_SOLUTION;
    else
        info->outcome = *norm_r <= target ? MSH_SOLVE_OK : MSH_SOLVE_NOT_CONVERGED;
    return 0;
}

static PetscErrorCode solve(msh_solver *s, const double *rhs, double *x, msh_solve_info *info)
{
    PetscReal norm_b, norm_r = 0, norm_x;
    PetscCall(put(s->b, rhs, s->rows));
    PetscCall(VecNorm(s->b, NORM_2, &norm_b));
    memset(info, 0, sizeof *info);
    info->negative_pivots = info->null_pivots = -1;
    info->rhs_norm = norm_b;
    if (!s->finite || !isfinite(norm_b)) {
        info->outcome = s->finite ? MSH_SOLVE_NONFINITE_RHS : MSH_SOLVE_NONFINITE_MATRIX;
        info->residual = NAN;
        return 0;
    }
    PetscCall(put(s->x, x, s->rows));
    PetscCall(VecNorm(s->x, NORM_2, &norm_x));
    if (!isfinite(norm_x)) PetscCall(VecSet(s->x, 0.0));

    if (s->fresh) PetscCall(s->direct ? factorize(s) : judge_modes(s));
    *info = s->factor;
    info->rhs_norm = norm_b;
    if (info->outcome != MSH_SOLVE_OK) {
        info->residual = NAN;
        return 0;
    }
    if (norm_b == 0) PetscCall(VecSet(s->x, 0.0));
    else if (s->direct && s->preonly) PetscCall(solve_direct(s, norm_b, &norm_r, info));
    else PetscCall(solve_iterative(s, norm_b, &norm_r, info));

    if (norm_b > 0 && s->kind == MSH_KIND_SPD && info->outcome == MSH_SOLVE_OK) {
        PetscScalar energy; /* x'Ax = x'b - x'r */
        PetscCall(VecAXPY(s->r, -1.0, s->b));
        PetscCall(VecDot(s->x, s->r, &energy));
        if (!(energy < 0)) info->outcome = MSH_SOLVE_INDEFINITE;
    }
    info->residual = norm_b > 0 ? norm_r / norm_b : 0;
    return get(s->x, x, s->rows);
}

int32_t msh_solver_solve(msh_solver *solver, const double *rhs, double *x, msh_solve_info *info)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && info && ((rhs && x) || solver->rows == 0), "msh_solver_solve: null argument");
    if (!solver->ready || !solver->has_values) return msh_fail(MSH_ERR_STATE, 0, "msh_solver_solve: setup or values are missing");
    PETSC_GUARD(solve(solver, rhs, x, info));
}

/* ---- words ---- */

int32_t msh_solver_describe(const msh_solver *solver, char *text, int64_t capacity, int64_t *length)
{
    MSH_ENTER();
    MSH_REQUIRE(solver && length, "msh_solver_describe: null argument");
    KSPType ksp = NULL;
    PCType type = NULL;
    MatSolverType package = NULL;
    PC pc = NULL;
    char line[256];
    if (!KSPGetPC(solver->ksp, &pc) && pc) PCGetType(pc, &type);
    KSPGetType(solver->ksp, &ksp);
    if (solver->direct && pc) PCFactorGetMatSolverType(pc, &package);
    snprintf(line, sizeof line, package ? "%s + %s (%s)" : "%s + %s", ksp ? ksp : "unset", type ? type : "unset", package ? package : "");
    *length = msh_copy_text(line, text, capacity);
    return MSH_OK;
}

int32_t msh_reason_text(int32_t reason, char *text, int64_t capacity, int64_t *length)
{
    MSH_ENTER();
    MSH_REQUIRE(length, "msh_reason_text: length is null");
    const int known = reason >= KSP_DIVERGED_PC_FAILED && reason <= KSP_CONVERGED_ATOL_NORMAL;
    *length = msh_copy_text(known ? KSPConvergedReasons[reason] : "unknown reason", text, capacity);
    return MSH_OK;
}

#else /* no PETSc: the same functions, which say so */

static int32_t missing(const char *function)
{
    return msh_fail(MSH_ERR_NO_PETSC, 0, "%s: this libmshpc was built without PETSc", function);
}

int32_t msh_petsc_start(void) { return MSH_OK; }

int32_t msh_petsc_stop(void) { return MSH_OK; }

int64_t msh_petsc_version(char *text, int64_t capacity) { return msh_copy_text("no PETSc", text, capacity); }

int32_t msh_sizeof_petsc_int(void) { return 0; }

int32_t msh_sizeof_petsc_scalar(void) { return 0; }

int32_t msh_have_petsc(void) { return 0; }

int32_t msh_petsc_has(const char *package, int32_t *flag)
{
    MSH_REQUIRE(package && flag, "msh_petsc_has: null argument");
    *flag = 0;
    return MSH_OK;
}

int32_t msh_solver_create(const msh_comm *comm, const char *prefix, int64_t rows, int32_t block, int32_t kind, msh_solver **solver)
{
    (void)comm, (void)prefix, (void)rows, (void)block, (void)kind, (void)solver;
    return missing(__func__);
}

int32_t msh_solver_option(msh_solver *solver, const char *name, const char *value)
{
    (void)solver, (void)name, (void)value;
    return missing(__func__);
}

int32_t msh_solver_option_get(const msh_solver *solver, const char *name, char *text, int64_t capacity, int64_t *length)
{
    (void)solver, (void)name, (void)text, (void)capacity, (void)length;
    return missing(__func__);
}

int32_t msh_solver_option_used(const msh_solver *solver, const char *name, int32_t *used)
{
    (void)solver, (void)name, (void)used;
    return missing(__func__);
}

int32_t msh_solver_pattern(msh_solver *solver, int64_t count, const int64_t *rows, const int64_t *columns)
{
    (void)solver, (void)count, (void)rows, (void)columns;
    return missing(__func__);
}

int32_t msh_solver_near_nullspace(msh_solver *solver, int32_t modes, const double *vectors)
{
    (void)solver, (void)modes, (void)vectors;
    return missing(__func__);
}

int32_t msh_solver_setup(msh_solver *solver)
{
    (void)solver;
    return missing(__func__);
}

int32_t msh_solver_values(msh_solver *solver, int64_t count, const double *values)
{
    (void)solver, (void)count, (void)values;
    return missing(__func__);
}

int32_t msh_solver_multiply(msh_solver *solver, const double *x, double *result)
{
    (void)solver, (void)x, (void)result;
    return missing(__func__);
}

int32_t msh_solver_solve(msh_solver *solver, const double *rhs, double *x, msh_solve_info *info)
{
    (void)solver, (void)rhs, (void)x, (void)info;
    return missing(__func__);
}

int32_t msh_solver_describe(const msh_solver *solver, char *text, int64_t capacity, int64_t *length)
{
    (void)solver, (void)text, (void)capacity, (void)length;
    return missing(__func__);
}

int32_t msh_reason_text(int32_t reason, char *text, int64_t capacity, int64_t *length)
{
    (void)reason, (void)text, (void)capacity, (void)length;
    return missing(__func__);
}

int32_t msh_solver_destroy(msh_solver *solver)
{
    return solver ? missing(__func__) : MSH_OK;
}

#endif
