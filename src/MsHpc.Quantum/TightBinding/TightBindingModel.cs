using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>One kind of atom of a tight-binding model.</summary>
/// <param name="Symbol">Chemical symbol.</param>
/// <param name="Electrons">Valence electrons of the neutral atom.</param>
/// <param name="Shells">Angular momentum l of each shell, rising: 0 s, 1 p, 2 d.</param>
/// <param name="OnSite">Energy of each shell, hartree; where the model makes it depend on the surroundings, not used.</param>
public sealed record TightBindingElement(string Symbol, double Electrons, int[] Shells, double[] OnSite)
{
    /// <summary>Orbitals of the atom: Σ (2 l + 1).</summary>
    public int Orbitals { get; } = Shells.Sum(l => 2 * l + 1);

    /// <summary>Hubbard U, hartree: what charge on the atom costs (½ U q²). Zero where the model does not know.</summary>
    public double Hubbard { get; init; }
}

/// <summary>
/// Two-centre integrals of an ordered pair of elements at one distance, by channel: shell l₁ on the first atom, l₂ ≥ l₁ on the second,
/// m = σ, π, δ (Slater and Koster, Phys. Rev. 94, 1498 (1954)). In hartree and, for derivatives, hartree/bohr.
/// </summary>
internal static class Channel
{
    /// <summary>Number of channels of s, p and d.</summary>
    public const int Count = 10;

    /// <summary>l₁ l₂ m.</summary>
    public const int SsSigma = 0, SpSigma = 1, PpSigma = 2, PpPi = 3, SdSigma = 4, PdSigma = 5, PdPi = 6, DdSigma = 7, DdPi = 8, DdDelta = 9;
}

/// <summary>Two-centre integrals and their derivatives by the distance; see <see cref="TightBindingModel.TwoCentre"/>.</summary>
public readonly ref struct TwoCentreTable
{
    /// <summary>Hamiltonian, hartree, ten channels.</summary>
    public required Span<double> H { get; init; }

    /// <summary>dH/dr, hartree/bohr.</summary>
    public required Span<double> DH { get; init; }

    /// <summary>Overlap.</summary>
    public required Span<double> S { get; init; }

    /// <summary>dS/dr, 1/bohr.</summary>
    public required Span<double> DS { get; init; }
}

/// <summary>
/// A parameter set of tight binding: energies of shells, two-centre integrals of Hamiltonian and overlap, and what is added for the cores,
/// E_rep = Σ_i F(Σ_j φ(r_ij)). Atomic units.
/// </summary>
public abstract class TightBindingModel
{
    /// <summary>Name of the set.</summary>
    public abstract string Name { get; }

    /// <summary>Where it was published: printed in the log, to be cited.</summary>
    public abstract string Source { get; }

    /// <summary>The elements it knows.</summary>
    public abstract IReadOnlyList<TightBindingElement> Elements { get; }

    /// <summary>Whether the overlap is the unit matrix.</summary>
    public abstract bool IsOrthogonal { get; }

    /// <summary>Distance beyond which nothing interacts, bohr.</summary>
    public abstract double Cutoff { get; }

    /// <summary>Distance below which the model means nothing, bohr.</summary>
    public virtual double Shortest => 1e-3;

    /// <summary>Index of an element.</summary>
    /// <exception cref="InputException">The set does not know the symbol.</exception>
    public int IndexOf(string symbol)
    {
        for (int k = 0; k < Elements.Count; k++) if (Elements[k].Symbol == symbol) return k;
        throw new InputException($"{Name} has no parameters for {symbol}; it knows {string.Join(", ", Elements.Select(e => e.Symbol))}");
    }

    /// <summary>Integrals of ⟨first, l₁| · |second, l₂⟩, l₁ ≤ l₂, with the bond along z from the first atom to the second.</summary>
    /// <param name="first">Element with l₁.</param>
    /// <param name="second">Element with l₂.</param>
    /// <param name="r">Distance, bohr.</param>
    /// <param name="table">Cleared before; what the pair has is written.</param>
    public abstract void TwoCentre(int first, int second, double r, in TwoCentreTable table);

    /// <summary>Whether energies of shells depend on the density Σ_j ρ(r_ij) of the surroundings.</summary>
    public virtual bool HasEnvironment => false;

    /// <summary>What a neighbour adds to the density at an atom.</summary>
    /// <returns>ρ and dρ/dr.</returns>
    public virtual (double Value, double Slope) Density(int atom, int neighbor, double r) => (0, 0);

    /// <summary>Energies of the shells of an atom at a density, and their derivatives by it.</summary>
    public virtual void OnSite(int element, double density, Span<double> energy, Span<double> slope)
    {
        Elements[element].OnSite.CopyTo(energy);
        slope.Clear();
    }

    /// <summary>φ of a pair and dφ/dr.</summary>
    public abstract (double Value, double Slope) Repulsion(int first, int second, double r);

    /// <summary>F(x) and dF/dx of the sum x of φ over the neighbours of an atom. Plain pair potentials: x/2.</summary>
    public virtual (double Value, double Slope) Embed(int element, double x) => (0.5 * x, 0.5);
}
