namespace MsHpc.Continuum.Assembly;

/// <summary>How the element integrals are taken.</summary>
public enum Integration
{
    /// <summary>Full quadrature.</summary>
    Full,
    /// <summary>One point per direction less, on serendipity elements (2 × 2 × 2 on <see cref="ElementType.Hex20"/>). Refused on linear
    /// quadrilaterals and hexahedra, which would have hourglass modes; simplices keep their rule.</summary>
    Reduced,
    /// <summary>Full quadrature with the mean dilatation of the element (B̄) on linear quadrilaterals and hexahedra; other shapes keep
    /// <see cref="Full"/>. Small strain only.</summary>
    BBar,
}

/// <summary>Choices of a finite-element model.</summary>
/// <remarks>
/// Against volumetric locking (nearly incompressible laws, plastic flow): <see cref="Integration.BBar"/> with linear quadrilaterals and
/// hexahedra in small strain (T. J. R. Hughes, IJNME 15, 1413, 1980; in plane strain the in-plane trace is averaged, so that εzz stays 0), quadratic serendipity elements with
/// <see cref="Integration.Reduced"/> in finite strain. Linear triangles and tetrahedra lock and have no cure here: use their quadratic
/// siblings.
/// </remarks>
public sealed record FeOptions
{
    /// <summary>Thickness of plane models, in the job's length unit.</summary>
    public double Thickness { get; init; } = 1;

    /// <summary>Integration of regions that <see cref="IntegrationByRegion"/> does not name.</summary>
    public Integration Integration { get; init; } = Integration.Full;

    /// <summary>Integration by region.</summary>
    public IReadOnlyDictionary<string, Integration> IntegrationByRegion { get; init; } = new Dictionary<string, Integration>();

    /// <summary>Lets <see cref="Integration.Reduced"/> pass on linear quadrilaterals and hexahedra. Their hourglass modes carry no energy and
    /// receive no force from a periodic volume, so that its averages are still unique.</summary>
    internal bool AllowsHourglass { get; init; }
}
