/*
 * mshpc.h: the one C interface of MsHpc. MPI and PETSc types never cross it: handles are opaque, integers have fixed widths, text is
 * copied into the caller's buffer.
 *
 * Rules that hold for every function unless its comment says otherwise:
 *  - the return value is a status, MSH_OK or one of MSH_ERR_*; the text of the last failure on this process is in msh_last_error;
 *  - output arguments are written only on MSH_OK;
 *  - null handles and null arrays of positive length are refused with MSH_ERR_ARGUMENT;
 *  - functions that take a communicator or a solver are collective over its ranks;
 *  - all calls come from the thread that initialised MPI (thread level FUNNELED), except where MPI grants more;
 *  - no function calls back, installs a signal handler or jumps over the caller's frames.
 */
#ifndef MSHPC_H
#define MSHPC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* the library hides everything else */
#endif

/** Version of this interface; raised by every change of a prototype, a struct or a meaning. */
#define MSH_ABI_VERSION 2

/** Success. */
#define MSH_OK 0
/** A null handle, a negative length or another argument that cannot be right. */
#define MSH_ERR_ARGUMENT 1
/** MPI failed; the text is MPI's. */
#define MSH_ERR_MPI 2
/** PETSc failed; the text is PETSc's, the code is in msh_last_error_code. */
#define MSH_ERR_PETSC 3
/** This build has no PETSc. */
#define MSH_ERR_NO_PETSC 4
/** Not initialised, or already shut down. */
#define MSH_ERR_STATE 5
/** A count does not fit the index type of MPI or PETSc. */
#define MSH_ERR_RANGE 6
/** No memory. */
#define MSH_ERR_MEMORY 7
/** Called from another thread than the one that initialised MPI. */
#define MSH_ERR_THREAD 8

/** Matrix without symmetry of values. */
#define MSH_KIND_GENERAL 0
/** Symmetric matrix, may be indefinite. */
#define MSH_KIND_SYMMETRIC 1
/** Symmetric positive definite matrix. */
#define MSH_KIND_SPD 2

/** The answer meets the tolerance. */
#define MSH_SOLVE_OK 0
/** The matrix is singular, exactly or to working precision. */
#define MSH_SOLVE_SINGULAR 1
/** The matrix was promised to be positive definite and is not. */
#define MSH_SOLVE_INDEFINITE 2
/** The Krylov method stopped without meeting the tolerance. */
#define MSH_SOLVE_NOT_CONVERGED 3
/** The matrix holds a NaN or an infinity. */
#define MSH_SOLVE_NONFINITE_MATRIX 4
/** The right-hand side holds a NaN or an infinity. */
#define MSH_SOLVE_NONFINITE_RHS 5
/** The answer holds a NaN or an infinity. */
#define MSH_SOLVE_NONFINITE_SOLUTION 6
/** The factorisation ran out of memory. */
#define MSH_SOLVE_OUT_OF_MEMORY 7
/** The preconditioner or factorisation failed for another reason. */
#define MSH_SOLVE_PC_FAILED 8
/** A direct solver's answer has too large a residual even after refinement. */
#define MSH_SOLVE_INACCURATE 9

/** A group of ranks. */
typedef struct msh_comm msh_comm;

/** Messages on their way. */
typedef struct msh_messages msh_messages;

/** A matrix with its Krylov solver, preconditioner and work vectors. */
typedef struct msh_solver msh_solver;

/** How one solve went. */
typedef struct msh_solve_info {
    /** One of MSH_SOLVE_*. */
    int32_t outcome;
    /** PETSc's KSPConvergedReason. */
    int32_t reason;
    /** Krylov iterations; refinement steps of a direct solver. */
    int32_t iterations;
    /** PETSc's PCFailedReason. */
    int32_t pc_reason;
    /** MUMPS INFOG(1): 0, or its error; 0 without MUMPS. */
    int32_t mumps_infog1;
    /** MUMPS INFOG(2): detail of INFOG(1). */
    int32_t mumps_infog2;
    /** Negative pivots of a symmetric factorisation; -1 when unknown. */
    int64_t negative_pivots;
    /** Null pivots of the factorisation; -1 when unknown. */
    int64_t null_pivots;
    /** |b - A x| / |b| in the 2-norm, computed from the answer; 0 when b = 0. */
    double residual;
    /** Lower bound of the condition number of the row-and-column scaled matrix (inverse iteration); 0 when unknown. */
    double condition;
    /** |b|. */
    double rhs_norm;
} msh_solve_info;

/* ---- version, sizes, errors: never fail, need no initialisation, any thread ---- */

/** MSH_ABI_VERSION that the library was built with. Returns the version, not a status. */
int32_t msh_abi_version(void);

/** sizeof(PetscInt), 0 without PETSc. Returns the size, not a status. */
int32_t msh_sizeof_petsc_int(void);

/** sizeof(PetscScalar), 0 without PETSc. Returns the size, not a status. */
int32_t msh_sizeof_petsc_scalar(void);

/** sizeof(msh_solve_info). Returns the size, not a status. */
int32_t msh_sizeof_solve_info(void);

/** 1 when built with PETSc, else 0. Returns the flag, not a status. */
int32_t msh_have_petsc(void);

/** Copies the text of the last failure, zero-terminated and cut to capacity bytes; returns the full length without the zero. */
int64_t msh_last_error(char *text, int64_t capacity);

/** Error code of the library that failed last (PETSc's or MPI's), 0 when it was ours. Returns the code, not a status. */
int32_t msh_last_error_code(void);

/** Copies "MPI library; PETSc version" as one line, cut to capacity bytes; returns the full length without the zero. */
int64_t msh_versions(char *text, int64_t capacity);

/* ---- start and end ---- */

/**
 * Initialises MPI (MPI_THREAD_FUNNELED) and PETSc (without its signal handlers) unless somebody did already; a second call does nothing.
 * Collective over MPI_COMM_WORLD. Fails with MSH_ERR_STATE after MPI was finalised.
 */
int32_t msh_init(void);

/** Finalises what msh_init initialised and nothing else. All handles must be freed before. Collective over MPI_COMM_WORLD. */
int32_t msh_finalize(void);

/** Writes 1 when msh_init ran and neither msh_finalize nor somebody else's MPI_Finalize did. Not collective, any thread. */
int32_t msh_is_initialized(int32_t *flag);

/** Writes 1 when MPI was initialised by msh_init, 0 when by somebody else. Not collective. */
int32_t msh_owns_mpi(int32_t *flag);

/** Writes the granted thread level: 0 single, 1 funneled, 2 serialized, 3 multiple. Not collective. */
int32_t msh_thread_level(int32_t *level);

/** Ends all ranks of the job with this exit code; does not return on success. Not collective, any thread. */
int32_t msh_abort(int32_t code);

/* ---- communicators ---- */

/** A duplicate of MPI_COMM_WORLD, so that our messages never meet somebody else's. */
int32_t msh_comm_world(msh_comm **comm);

/** A duplicate of MPI_COMM_SELF. */
int32_t msh_comm_self(msh_comm **comm);

/** A duplicate of the communicator with this Fortran handle (mpi4py: comm.py2f()). */
int32_t msh_comm_from_fortran(int32_t handle, msh_comm **comm);

/** Writes the Fortran handle of the duplicate. Not collective. */
int32_t msh_comm_to_fortran(const msh_comm *comm, int32_t *handle);

/** Writes this process's rank. Not collective. */
int32_t msh_comm_rank(const msh_comm *comm, int32_t *rank);

/** Writes the number of ranks. Not collective. */
int32_t msh_comm_size(const msh_comm *comm, int32_t *size);

/** Groups the ranks of the same color (0 or more), ordered by key. */
int32_t msh_comm_split(const msh_comm *comm, int32_t color, int32_t key, msh_comm **part);

/** Frees the communicator; null is allowed. */
int32_t msh_comm_free(msh_comm *comm);

/* ---- collectives: in place, the same bits on every rank ---- */

/** Elementwise sum in rank order, rank 0 first, so the result depends on the values and the number of ranks only. */
int32_t msh_sum_f64(const msh_comm *comm, double *values, int64_t count);

/** Elementwise sum; wraps on overflow. */
int32_t msh_sum_i64(const msh_comm *comm, int64_t *values, int64_t count);

/** Elementwise maximum; a NaN on any rank gives NaN on all. */
int32_t msh_max_f64(const msh_comm *comm, double *values, int64_t count);

/** Copies bytes of rank root to all ranks. */
int32_t msh_broadcast(const msh_comm *comm, void *data, int64_t bytes, int32_t root);

/** Writes the value of rank r to all[r]. */
int32_t msh_gather_i64(const msh_comm *comm, int64_t value, int64_t *all);

/**
 * Concatenates pieces in rank order. offsets[r] .. offsets[r+1] are rank r's bytes (length size + 1); this rank's piece has that length.
 * MSH_ERR_RANGE on all ranks when the total exceeds 2^31 - 1 bytes.
 */
int32_t msh_gather_bytes(const msh_comm *comm, const void *piece, void *all, const int64_t *offsets);

/**
 * Sends bytes send_offsets[k] .. send_offsets[k+1] of send to neighbors[k] and receives receive_offsets[k] .. of receive from it, k = 0 ..
 * count - 1. A rank may be its own neighbor. MSH_ERR_RANGE when one message exceeds 2^31 - 1 bytes.
 */
int32_t msh_exchange(const msh_comm *comm, int32_t count, const int32_t *neighbors, const void *send, const int64_t *send_offsets,
                     void *receive, const int64_t *receive_offsets);

/**
 * Begins to send bytes offsets[k] .. offsets[k+1] to rank neighbors[k]; nothing to do where they are equal. Data must stay as it is until
 * msh_messages_end. Messages between two ranks arrive in the order in which their sends began, those of msh_exchange among them.
 */
int32_t msh_send_begin(const msh_comm *comm, int32_t count, const int32_t *neighbors, const void *data, const int64_t *offsets,
                       msh_messages **messages);

/** Begins to receive what msh_send_begin sends. Data may be read after msh_messages_end. */
int32_t msh_receive_begin(const msh_comm *comm, int32_t count, const int32_t *neighbors, void *data, const int64_t *offsets,
                          msh_messages **messages);

/** Waits for the messages and frees the handle, also on failure; null is allowed. */
int32_t msh_messages_end(msh_messages *messages);

/** Waits for all ranks. */
int32_t msh_barrier(const msh_comm *comm);

/* ---- PETSc: matrix + solver ---- */

/** Writes 1 when PETSc was built with the package ("mumps", "hypre", ...). Not collective. */
int32_t msh_petsc_has(const char *package, int32_t *flag);

/**
 * Creates an empty solver. Every solver has its own section of PETSc's options database; options that the user gave to PETSc under
 * "-<prefix>" (command line, PETSC_OPTIONS) are copied into it and win over msh_solver_option.
 * prefix: letters, digits and underscores, ends with an underscore. rows: unknowns that this rank owns. block: unknowns per node,
 * divides rows. kind: one of MSH_KIND_*.
 */
int32_t msh_solver_create(const msh_comm *comm, const char *prefix, int64_t rows, int32_t block, int32_t kind, msh_solver **solver);

/** Sets an option (name without dash and prefix) unless it is set already; a null or empty value is a flag. Before msh_solver_setup. */
int32_t msh_solver_option(msh_solver *solver, const char *name, const char *value);

/** Copies the value of an option of this solver, whoever set it; writes its full length without the zero, or -1 when it is not set.
 * Counts as a use of the option for msh_solver_option_used. Not collective. */
int32_t msh_solver_option_get(const msh_solver *solver, const char *name, char *text, int64_t capacity, int64_t *length);

/** Writes 1 when PETSc has asked for the option, 0 when nobody did. Not collective. */
int32_t msh_solver_option_used(const msh_solver *solver, const char *name, int32_t *used);

/** Global row and column of each entry that this rank contributes; several entries of one place, on any ranks, add up. Once. */
int32_t msh_solver_pattern(msh_solver *solver, int64_t count, const int64_t *rows, const int64_t *columns);

/**
 * Near-nullspace: modes vectors of rows doubles each, one after the other; they are orthonormalised and dependent ones dropped. For an
 * iteratively solved SPD matrix the span is also tested for being a null space. Before msh_solver_setup.
 */
int32_t msh_solver_near_nullspace(msh_solver *solver, int32_t modes, const double *vectors);

/** Reads the options; needs the pattern. Once. */
int32_t msh_solver_setup(msh_solver *solver);

/** New values, one for each entry of the pattern. The next solve factors or sets up again. */
int32_t msh_solver_values(msh_solver *solver, int64_t count, const double *values);

/** result = A x over owned rows. */
int32_t msh_solver_multiply(msh_solver *solver, const double *x, double *result);

/** Solves A x = b over owned rows; x holds the initial guess (iterative methods) and takes the answer. Failing to converge is not an
 * error of the call: see info. */
int32_t msh_solver_solve(msh_solver *solver, const double *rhs, double *x, msh_solve_info *info);

/** Copies "cg + gamg" or "preonly + cholesky (mumps)"; writes the full length without the zero. Not collective. */
int32_t msh_solver_describe(const msh_solver *solver, char *text, int64_t capacity, int64_t *length);

/** Copies PETSc's name of a KSPConvergedReason; writes the full length without the zero. Not collective. */
int32_t msh_reason_text(int32_t reason, char *text, int64_t capacity, int64_t *length);

/** Destroys the solver; null is allowed. */
int32_t msh_solver_destroy(msh_solver *solver);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
