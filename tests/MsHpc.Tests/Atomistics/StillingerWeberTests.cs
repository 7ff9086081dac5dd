using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Stillinger–Weber against LAMMPS, against its own scalar twin and finite differences.</summary>
public sealed class StillingerWeberTests
{
    [Test]
    public void Silicon([Values("sw_si_ortho", "sw_si_small_ortho")] string name) => ReferenceCase.Load(name).Compare(new ForceField(StillingerWeber.Silicon()));
}
