namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// Collinear spin: E = ½ Σ_i Σ_ll′ W_ll′ m_il m_il′ with m = n↑ − n↓ of a shell, so that H↑↓ = H ± ½ S (V_μ + V_ν), V = W m
/// (Köhler, Frauenheim, Hourahine, Seifert and Sternberg, J. Phys. Chem. A 111, 5622 (2007)). Levels hold one electron each.
/// </summary>
/// <param name="Constants">W of each element, hartree, one row per shell (s, p, d): a symmetric matrix, row by row; negative where spins align.</param>
/// <param name="Unpaired">n↑ − n↓ of all atoms, each spin with its own Fermi level; null: what one Fermi level for both makes of it.</param>
/// <param name="Moments">n↑ − n↓ of each atom to start from; null: <paramref name="Unpaired"/> shared out by valence electrons, or one per atom.
/// A start without spin stays without where one Fermi level is shared.</param>
public sealed record Spin(IReadOnlyDictionary<string, double[]> Constants, double? Unpaired = null, double[]? Moments = null);
