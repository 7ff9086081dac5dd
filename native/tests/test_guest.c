/* A host program (Python with mpi4py) starts and ends MPI; we are a guest in it and end nothing that is not ours. */
#include "check.h"

#include <mpi.h>

int main(int argc, char **argv)
{
    int provided, finalized = 0, size;
    int32_t flag = -1, level, n;
    double one = 1;
    msh_comm *comm = NULL, *late = NULL;
    CHECK(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided) == MPI_SUCCESS);
    OK(msh_init());
    OK(msh_owns_mpi(&flag));
    CHECK(flag == 0);
    OK(msh_thread_level(&level));
    CHECK(level >= 1);

    MPI_Comm theirs; /* half of the ranks, as a host would split them */
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, 0, &theirs);
    MPI_Comm_size(theirs, &size);
    OK(msh_comm_from_fortran((int32_t)MPI_Comm_c2f(theirs), &comm));
    OK(msh_comm_size(comm, &n));
    CHECK(n == size);
    OK(msh_sum_f64(comm, &one, 1));
    CHECK(one == size);
    OK(msh_comm_world(&late));
    OK(msh_comm_free(comm));

    if (argc > 1) { /* the host ends MPI first: our calls then fail instead of ending the process */
        OK(msh_comm_free(late));
        MPI_Comm_free(&theirs);
        MPI_Finalize();
        OK(msh_is_initialized(&flag));
        CHECK(flag == 0);
        comm = NULL;
        CHECK(msh_comm_world(&comm) == MSH_ERR_STATE);
        OK(msh_finalize());
        return 0;
    }
    OK(msh_comm_free(late));
    OK(msh_finalize());
    MPI_Finalized(&finalized);
    CHECK(!finalized);
    MPI_Comm_free(&theirs);
    return MPI_Finalize() == MPI_SUCCESS ? 0 : 1;
}
