using System.Numerics;
using MathNet.Numerics.IntegralTransforms;

namespace MsHpc.Core;

/// <summary>Discrete Fourier transform of a field on an n₀ × n₁ × n₂ grid, last index fastest.</summary>
public sealed class Fft3
{
    private readonly int[] _shape;
    private readonly Complex[][] _lines;

    /// <param name="n0">Points along the first direction.</param>
    /// <param name="n1">Points along the second direction.</param>
    /// <param name="n2">Points along the third direction.</param>
    public Fft3(int n0, int n1, int n2)
    {
        _shape = [n0, n1, n2];
        _lines = [.. _shape.Select(n => new Complex[n])];
    }

    /// <summary>F(k) = Σ f(n) e^{−2πi k·n/N}, in place.</summary>
    public void Forward(Complex[] field) => Transform(field, line => Fourier.Forward(line, FourierOptions.NoScaling));

    /// <summary>f(n) = (1/N) Σ F(k) e^{2πi k·n/N}, in place.</summary>
    public void Inverse(Complex[] field)
    {
        Transform(field, line => Fourier.Inverse(line, FourierOptions.NoScaling));
        double scale = 1.0 / field.Length;
        for (int k = 0; k < field.Length; k++) field[k] *= scale;
    }

    private void Transform(Complex[] field, Action<Complex[]> along)
    {
        int stride = 1;
        for (int d = 2; d >= 0; d--)
        {
            int n = _shape[d];
            var line = _lines[d];
            for (int block = 0; n > 1 && block < field.Length; block += n * stride)
                for (int first = block; first < block + stride; first++)
                {
                    for (int k = 0; k < n; k++) line[k] = field[first + k * stride];
                    along(line);
                    for (int k = 0; k < n; k++) field[first + k * stride] = line[k];
                }
            stride *= n;
        }
    }
}
