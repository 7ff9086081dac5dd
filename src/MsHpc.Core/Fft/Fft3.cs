using System.Numerics;

namespace MsHpc.Core;

/// <summary>Discrete Fourier transform of a complex field on an n₀ × n₁ × n₂ grid, last index fastest; <see cref="LaneFft"/> along each direction.</summary>
public sealed unsafe class Fft3
{
    private readonly int[] _shape;
    private readonly LaneFft[] _along;
    private readonly AlignedArray<double> _lines = new();

    /// <param name="n0">Points along the first direction.</param>
    /// <param name="n1">Points along the second direction.</param>
    /// <param name="n2">Points along the third direction.</param>
    public Fft3(int n0, int n1, int n2)
    {
        _shape = [n0, n1, n2];
        _along = [.. _shape.Select(n => new LaneFft(n))];
        _lines.Require(16L * _shape.Max());
    }

    /// <summary>F(k) = Σ f(n) e^{−2πi k·n/N}, in place.</summary>
    public void Forward(Complex[] field) => Transform(field, inverse: false);

    /// <summary>f(n) = (1/N) Σ F(k) e^{2πi k·n/N}, in place.</summary>
    public void Inverse(Complex[] field)
    {
        Transform(field, inverse: true);
        double scale = 1.0 / field.Length;
        for (int k = 0; k < field.Length; k++) field[k] *= scale;
    }

    private void Transform(Complex[] field, bool inverse)
    {
        double* x = _lines.Pointer;
        int stride = 1;
        for (int d = 2; d >= 0; d--)
        {
            int n = _shape[d], lines = field.Length / n;
            for (int line = 0; n > 1 && line < lines; line += 8)
            {
                int count = Math.Min(8, lines - line);
                for (int l = 0; l < count; l++)
                    for (int k = 0, at = First(line + l, n, stride); k < n; k++, at += stride) (x[16 * k + l], x[16 * k + 8 + l]) = (field[at].Real, field[at].Imaginary);
                _along[d].Transform(x, 16, x, 16, inverse);
                for (int l = 0; l < count; l++)
                    for (int k = 0, at = First(line + l, n, stride); k < n; k++, at += stride) field[at] = new Complex(x[16 * k + l], x[16 * k + 8 + l]);
            }
            stride *= n;
        }

        static int First(int line, int n, int stride) => line / stride * stride * n + line % stride;
    }
}
