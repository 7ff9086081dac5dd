using System.Globalization;
using System.Text;

namespace MsHpc.Core;

/// <summary>
/// Fundamental constants in SI units, CODATA 2022 (Mohr, Newell, Taylor, Tiesinga, Rev. Mod. Phys. 97, 025002, 2025;
/// physics.nist.gov/constants). Each is written once, here; everything else is derived.
/// </summary>
public static class Codata
{
    /// <summary>e, C (exact).</summary>
    public const double ElementaryCharge = 1.602176634e-19;

    /// <summary>k_B, J/K (exact).</summary>
    public const double Boltzmann = 1.380649e-23;

    /// <summary>h, J s (exact).</summary>
    public const double Planck = 6.62607015e-34;

    /// <summary>N_A, 1/mol (exact).</summary>
    public const double Avogadro = 6.02214076e23;

    /// <summary>c, m/s (exact).</summary>
    public const double SpeedOfLight = 299792458;

    /// <summary>ε₀, F/m (uncertainty 1.4e-21).</summary>
    public const double VacuumPermittivity = 8.8541878188e-12;

    /// <summary>α (uncertainty 1.1e-12).</summary>
    public const double FineStructure = 7.2973525643e-3;

    /// <summary>m_e, kg (uncertainty 2.8e-40).</summary>
    public const double ElectronMass = 9.1093837139e-31;

    /// <summary>u, kg (uncertainty 5.2e-37).</summary>
    public const double AtomicMass = 1.66053906892e-27;

    /// <summary>a₀, m (uncertainty 8.2e-21).</summary>
    public const double Bohr = 5.29177210544e-11;

    /// <summary>E_h, J (uncertainty 4.8e-30).</summary>
    public const double Hartree = 4.3597447222060e-18;

    /// <summary>ħ = h/2π, J s.</summary>
    public const double ReducedPlanck = Planck / (2 * Math.PI);

    /// <summary>E_h in eV.</summary>
    public const double HartreeInEv = Hartree / ElementaryCharge;

    /// <summary>a₀ in Å.</summary>
    public const double BohrInAngstrom = Bohr * 1e10;

    /// <summary>k_B in eV/K.</summary>
    public const double BoltzmannInEv = Boltzmann / ElementaryCharge;

    /// <summary>e²/(4π ε₀) in eV Å.</summary>
    public const double CoulombInEvAngstrom = ElementaryCharge / (4 * Math.PI * VacuumPermittivity) * 1e10;

    /// <summary>1 u Å²/fs² in eV: turns ½ m v² of the <c>metal</c> system into its energy unit.</summary>
    public const double MassVelocitySquaredInEv = AtomicMass * 1e10 / ElementaryCharge;

    /// <summary>1 eV/Å³ in GPa.</summary>
    public const double EvPerCubicAngstromInGPa = ElementaryCharge * 1e21;
}

/// <summary>Exponents of length, mass, time, temperature and charge; halves occur (stress intensity, MPa √m).</summary>
/// <param name="Length">Exponent of length.</param>
/// <param name="Mass">Exponent of mass.</param>
/// <param name="Time">Exponent of time.</param>
/// <param name="Temperature">Exponent of temperature.</param>
/// <param name="Charge">Exponent of electric charge.</param>
public readonly record struct Dimension(double Length, double Mass = 0, double Time = 0, double Temperature = 0, double Charge = 0)
{
    /// <summary>A plain number: strain, Poisson's ratio, angle in radians, amount of substance (1 mol = N_A).</summary>
    public static Dimension None { get; }
    /// <summary>L.</summary>
    public static Dimension Distance { get; } = new(1);
    /// <summary>L².</summary>
    public static Dimension Area { get; } = new(2);
    /// <summary>L³.</summary>
    public static Dimension Volume { get; } = new(3);
    /// <summary>M.</summary>
    public static Dimension Weight { get; } = new(0, 1);
    /// <summary>T.</summary>
    public static Dimension Duration { get; } = new(0, 0, 1);
    /// <summary>1/T: friction, frequency.</summary>
    public static Dimension Rate { get; } = new(0, 0, -1);
    /// <summary>Θ.</summary>
    public static Dimension Kelvin { get; } = new(0, 0, 0, 1);
    /// <summary>Q.</summary>
    public static Dimension ElectricCharge { get; } = new(0, 0, 0, 0, 1);
    /// <summary>L/T.</summary>
    public static Dimension Velocity { get; } = new(1, 0, -1);
    /// <summary>M L²/T².</summary>
    public static Dimension Energy { get; } = new(2, 1, -2);
    /// <summary>M L/T².</summary>
    public static Dimension Force { get; } = new(1, 1, -2);
    /// <summary>M/(L T²): stress, elastic modulus, energy density.</summary>
    public static Dimension Pressure { get; } = new(-1, 1, -2);
    /// <summary>M/T²: surface energy, fracture energy, spring constant.</summary>
    public static Dimension EnergyPerArea { get; } = new(0, 1, -2);
    /// <summary>M/L³.</summary>
    public static Dimension Density { get; } = new(-3, 1);
    /// <summary>Pressure · √L.</summary>
    public static Dimension StressIntensity { get; } = new(-0.5, 1, -2);

    /// <summary>Dimension of a product.</summary>
    public static Dimension operator *(Dimension a, Dimension b) =>
        new(a.Length + b.Length, a.Mass + b.Mass, a.Time + b.Time, a.Temperature + b.Temperature, a.Charge + b.Charge);

    /// <summary>Dimension of a quotient.</summary>
    public static Dimension operator /(Dimension a, Dimension b) =>
        new(a.Length - b.Length, a.Mass - b.Mass, a.Time - b.Time, a.Temperature - b.Temperature, a.Charge - b.Charge);

    /// <summary>Dimension of a power.</summary>
    public Dimension Power(double exponent) =>
        new(Length * exponent, Mass * exponent, Time * exponent, Temperature * exponent, Charge * exponent);

    /// <summary>In words where there are any ("pressure"), else in exponents ("L^2 T^-1").</summary>
    public override string ToString()
    {
        foreach (var (name, dimension) in s_names)
            if (dimension == this) return name;
        return UnitSystem.Join([("L", Length), ("M", Mass), ("T", Time), ("Θ", Temperature), ("Q", Charge)], " ");
    }

    private static readonly (string, Dimension)[] s_names =
    [
        ("a plain number", None), ("length", Distance), ("area", Area), ("volume", Volume), ("mass", Weight), ("time", Duration),
        ("rate (1/time)", Rate), ("temperature", Kelvin), ("charge", ElectricCharge), ("velocity", Velocity), ("energy", Energy),
        ("force", Force), ("pressure", Pressure), ("energy per area", EnergyPerArea), ("density", Density),
        ("stress intensity", StressIntensity),
    ];
}

/// <summary>
/// The units in which a job's numbers are meant. In a coherent system every quantity is a product of the base units. <c>metal</c> is not
/// coherent, since its energy is not u Å²/fs²: there a dimension with at least two inverse times per mass (force, stress, energy …) is
/// taken as energy · length · time, anything else (mass, density, momentum) as u · length · time.
/// </summary>
public sealed class UnitSystem
{
    private readonly (string Symbol, double Si) _length, _mass, _time, _charge, _energy;
    private readonly (string Symbol, Dimension Dimension)[] _derived;

    private UnitSystem(string name, (string, double) length, (string, double) mass, (string, double) time, (string, double) charge,
        (string, double) energy, params (string, Dimension)[] derived) =>
        (Name, _length, _mass, _time, _charge, _energy, _derived) = (name, length, mass, time, charge, energy, derived);

    /// <summary>Å, u, fs, K, e; energies in eV. 1 eV/Å³ = 160.2177 GPa.</summary>
    public static UnitSystem Metal { get; } = new("metal", ("Å", 1e-10), ("u", Codata.AtomicMass), ("fs", 1e-15),
        ("e", Codata.ElementaryCharge), ("eV", Codata.ElementaryCharge));

    /// <summary>m, kg, s, K, C.</summary>
    public static UnitSystem Si { get; } = new("si", ("m", 1), ("kg", 1), ("s", 1), ("C", 1), ("", 0),
        ("J", Dimension.Energy), ("N", Dimension.Force), ("Pa", Dimension.Pressure), ("J/m^2", Dimension.EnergyPerArea),
        ("Pa m^0.5", Dimension.StressIntensity));

    /// <summary>mm, tonne, s, K, C: forces in N, stresses in MPa, energies in mJ, densities in t/mm³.</summary>
    public static UnitSystem MillimetreNewton { get; } = new("mm-N-MPa", ("mm", 1e-3), ("t", 1e3), ("s", 1), ("C", 1), ("", 0),
        ("mJ", Dimension.Energy), ("N", Dimension.Force), ("MPa", Dimension.Pressure), ("N/mm", Dimension.EnergyPerArea),
        ("MPa mm^0.5", Dimension.StressIntensity));

    /// <summary>All systems.</summary>
    public static IReadOnlyList<UnitSystem> All { get; } = [Metal, Si, MillimetreNewton];

    /// <summary>Name in job files.</summary>
    public string Name { get; }

    /// <summary>The system of that name.</summary>
    /// <exception cref="InputException">There is none; the message names the nearest.</exception>
    public static UnitSystem Parse(string name)
    {
        foreach (var system in All)
            if (string.Equals(system.Name, name, StringComparison.OrdinalIgnoreCase)) return system;
        var names = All.Select(system => system.Name);
        throw new InputException($"unknown unit system '{name}'{Nearest.Hint(name, names)} (known: {string.Join(", ", names)})");
    }

    /// <summary>Size of this system's unit in SI units: multiply by it to get SI, divide to come from SI.</summary>
    public double InSi(Dimension dimension)
    {
        var (energies, length, mass, time) = Split(dimension);
        return Math.Pow(_energy.Si, energies) * Math.Pow(_length.Si, length) * Math.Pow(_mass.Si, mass) * Math.Pow(_time.Si, time)
            * Math.Pow(_charge.Si, dimension.Charge);
    }

    /// <summary>Name of this system's unit, as in "eV/Å^3" or "MPa"; empty for plain numbers.</summary>
    public string Symbol(Dimension dimension)
    {
        foreach (var (symbol, known) in _derived)
            if (known == dimension) return symbol;
        var (energies, length, mass, time) = Split(dimension);
        return Join([(_energy.Symbol, energies), (_mass.Symbol, mass), (_length.Symbol, length), (_time.Symbol, time),
            ("K", dimension.Temperature), (_charge.Symbol, dimension.Charge)], " ", slash: true);
    }

    private (double Energies, double Length, double Mass, double Time) Split(Dimension d)
    {
        bool energy = _energy.Si > 0 && d.Mass != 0 && d.Time * Math.Sign(d.Mass) <= -2 * Math.Abs(d.Mass);
        return energy ? (d.Mass, d.Length - 2 * d.Mass, 0, d.Time + 2 * d.Mass) : (0, d.Length, d.Mass, d.Time);
    }

    internal static string Join(ReadOnlySpan<(string Symbol, double Exponent)> factors, string separator, bool slash = false)
    {
        StringBuilder above = new(), below = new();
        foreach (var (symbol, exponent) in factors)
        {
            if (exponent == 0) continue;
            bool under = slash && exponent < 0;
            double shown = under ? -exponent : exponent;
            var target = under ? below : above;
            if (target.Length > 0) target.Append(under ? "/" : separator);
            target.Append(symbol);
            if (shown != 1) target.Append('^').Append(shown.ToString(CultureInfo.InvariantCulture));
        }
        return below.Length == 0 ? above.ToString() : $"{(above.Length == 0 ? "1" : above.ToString())}/{below}";
    }
}

/// <summary>
/// Reads quantities of job files and of the Python interface: a plain number in the job's units, or a number with a unit whose dimension
/// is checked: <c>300 K</c>, <c>2 fs</c>, <c>120 GPa</c>, <c>0.02 eV/Å</c>, <c>1/fs</c>, <c>2.7 N/mm</c>, <c>100 eV/Å^3</c>,
/// <c>7850 kg/m^3</c>, <c>0.5 %</c>, <c>40 MPa m^0.5</c>, <c>25 °C</c>.
/// <para>Grammar: a number, then factors joined by space, <c>*</c>, <c>·</c> or <c>/</c>, taken from left to right (a/b/c = a/(b c)); a
/// factor is a unit, <c>1</c>, <c>√</c>unit or a parenthesis, with an exponent <c>^2</c>, <c>**2</c>, <c>²</c>, <c>^-1</c>, <c>^0.5</c>,
/// <c>^(1/2)</c>. Symbols are case-sensitive (mPa is not MPa).</para>
/// </summary>
public static class Units
{
    private static readonly Dictionary<string, (double Factor, Dimension Dimension)> s_units = Build();

    /// <summary>All unit symbols that are understood.</summary>
    public static IReadOnlyCollection<string> Known => s_units.Keys;

    /// <summary>Value of a quantity in the job's units.</summary>
    /// <param name="text">Number (already in the job's units) or number with unit.</param>
    /// <param name="dimension">Dimension that is expected.</param>
    /// <param name="system">The job's units.</param>
    /// <exception cref="InputException">Malformed, unknown unit or wrong dimension; the message says which and what was expected.</exception>
    public static double Parse(string text, Dimension dimension, UnitSystem system) =>
        TryParse(text, dimension, system, out double value, out string fault) ? value : throw new InputException(fault);

    /// <summary>Value of a quantity in the job's units; for readers that collect all faults of a file.</summary>
    /// <param name="text">Number (already in the job's units) or number with unit.</param>
    /// <param name="dimension">Dimension that is expected.</param>
    /// <param name="system">The job's units.</param>
    /// <param name="value">The value; NaN on failure.</param>
    /// <param name="fault">What is wrong, in one sentence; empty on success.</param>
    public static bool TryParse(string text, Dimension dimension, UnitSystem system, out double value, out string fault)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(system);
        value = double.NaN;
        fault = "";
        try
        {
            var reader = new Reader(text);
            double number = reader.Number();
            if (reader.AtEnd)
            {
                value = number;
                return true;
            }
            if (dimension == Dimension.Kelvin && reader.Rest is "°C" or "degC" or "℃")
                value = (number + 273.15) / system.InSi(dimension);
            else
            {
                var (factor, found) = reader.Unit();
                if (found != dimension)
                    throw new FormatException(
                        $"'{text.Trim()}' is {Article(found)}, but {Article(dimension)} is needed{Expected(dimension, system)}");
                value = number * (factor / system.InSi(dimension));
            }
            if (!double.IsFinite(value)) throw new FormatException($"'{text.Trim()}' is not a finite number in the job's units");
            return true;
        }
        catch (FormatException failure)
        {
            value = double.NaN;
            fault = failure.Message;
            return false;
        }
    }

    /// <summary>Factor that turns a number in <paramref name="unit"/> into the job's units, as in <c>Factor("GPa", metal)</c> = 1/160.2177.</summary>
    /// <exception cref="InputException">Unknown or malformed unit.</exception>
    public static double Factor(string unit, UnitSystem system)
    {
        ArgumentNullException.ThrowIfNull(system);
        try
        {
            var (factor, dimension) = new Reader(unit).Unit();
            return factor / system.InSi(dimension);
        }
        catch (FormatException failure)
        {
            throw new InputException(failure.Message);
        }
    }

    private static string Article(Dimension dimension) => dimension.ToString() is var words && words.StartsWith("a ", StringComparison.Ordinal)
        ? words : $"of dimension {words}";

    private static string Expected(Dimension dimension, UnitSystem system) =>
        system.Symbol(dimension) is { Length: > 0 } symbol ? $" (units '{system.Name}': a number in {symbol}, or text such as \"1 {symbol}\")" : "";

    private static Dictionary<string, (double, Dimension)> Build()
    {
        var units = new Dictionary<string, (double, Dimension)>(StringComparer.Ordinal);
        void Add(double factor, Dimension dimension, params ReadOnlySpan<string> symbols)
        {
            foreach (string symbol in symbols) units.Add(symbol, (factor, dimension));
        }
        void AddPrefixed(double factor, Dimension dimension, string symbol, string prefixes)
        {
            units.Add(symbol, (factor, dimension));
            foreach (char prefix in prefixes)
            {
                double size = prefix switch
                {
                    'f' => 1e-15, 'p' => 1e-12, 'n' => 1e-9, 'µ' => 1e-6, 'm' => 1e-3, 'c' => 1e-2, 'k' => 1e3, 'M' => 1e6, 'G' => 1e9, _ => 1e12,
                };
                // Micro is written with the micro sign, the Greek letter, or u.
                foreach (string spelled in prefix == 'µ' ? (string[])["\u00b5", "\u03bc", "u"] : [prefix.ToString()])
                    units.Add(spelled + symbol, (factor * size, dimension));
            }
        }
        var power = Dimension.Energy / Dimension.Duration;
        AddPrefixed(1, Dimension.Distance, "m", "fpnµmck");
        AddPrefixed(1e-3, Dimension.Weight, "g", "pnµmk");
        AddPrefixed(1, Dimension.Duration, "s", "fpnµm");
        AddPrefixed(1, Dimension.Kelvin, "K", "mµk");
        AddPrefixed(1, Dimension.Force, "N", "fpnµmkM");
        AddPrefixed(1, Dimension.Pressure, "Pa", "µmkMGT");
        AddPrefixed(1, Dimension.Energy, "J", "fpnµmkMG");
        AddPrefixed(Codata.ElementaryCharge, Dimension.Energy, "eV", "µmkM");
        AddPrefixed(1, power, "W", "nµmkM");
        AddPrefixed(1, Dimension.Rate, "Hz", "kMGT");
        AddPrefixed(1, Dimension.ElectricCharge, "C", "fpnµm");
        AddPrefixed(1, Dimension.ElectricCharge / Dimension.Duration, "A", "nµmk");
        AddPrefixed(1, Dimension.Energy / Dimension.ElectricCharge, "V", "µmkMG");
        AddPrefixed(1e5, Dimension.Pressure, "bar", "mkM");
        Add(1e-10, Dimension.Distance, "\u00c5", "\u212b", "A\u030a", "Ang", "angstrom", "Angstrom");
        Add(Codata.Bohr, Dimension.Distance, "bohr", "Bohr", "a0");
        Add(Codata.AtomicMass, Dimension.Weight, "u", "Da", "amu");
        Add(Codata.ElectronMass, Dimension.Weight, "me");
        Add(1e3, Dimension.Weight, "t", "tonne");
        Add(60, Dimension.Duration, "min");
        Add(3600, Dimension.Duration, "h", "hour");
        Add(86400, Dimension.Duration, "day");
        Add(Codata.Hartree, Dimension.Energy, "hartree", "Hartree", "Ha", "Eh");
        Add(Codata.Hartree / 2, Dimension.Energy, "Ry", "rydberg");
        Add(4.184, Dimension.Energy, "cal");
        Add(4184, Dimension.Energy, "kcal");
        Add(101325, Dimension.Pressure, "atm");
        Add(Codata.ElementaryCharge, Dimension.ElectricCharge, "e");
        Add(Codata.Avogadro, Dimension.None, "mol");
        Add(1, Dimension.None, "rad");
        Add(Math.PI / 180, Dimension.None, "deg", "°");
        Add(0.01, Dimension.None, "%");
        return units;
    }

    /// <summary>Recursive descent over one text; faults are FormatExceptions with the whole sentence.</summary>
    private ref struct Reader(string text)
    {
        private readonly string _text = text;
        private int _at;

        public readonly string Rest => _text[_at..].Trim();

        public bool AtEnd
        {
            get
            {
                SkipSpace();
                return _at >= _text.Length;
            }
        }

        public double Number()
        {
            SkipSpace();
            int start = _at;
            if (Peek() is '+' or '-' or '−') _at++;
            Digits();
            if (Peek() == '.') { _at++; Digits(); }
            if (Peek() is 'e' or 'E')
            {
                // "1e-3" is a power of ten, "1 e" and "2eV" are units.
                int mark = _at++;
                if (Peek() is '+' or '-' or '−') _at++;
                if (!char.IsAsciiDigit(Peek())) _at = mark;
                else Digits();
            }
            string digits = _text[start.._at].Replace('−', '-');
            if (!double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) || !double.IsFinite(value))
                throw new FormatException($"'{_text.Trim()}' is not a number, or a number with a unit");
            return value;
        }

        public (double Factor, Dimension Dimension) Unit()
        {
            var product = Product();
            return AtEnd ? product : throw Fault($"unexpected '{Peek()}'");
        }

        private (double Factor, Dimension Dimension) Product()
        {
            var result = (Factor: 1.0, Dimension.None);
            bool divide = Accept('/');
            while (true)
            {
                var (factor, dimension) = Power();
                result = divide ? (result.Factor / factor, result.None / dimension) : (result.Factor * factor, result.None * dimension);
                if (AtEnd || Peek() == ')') return result;
                divide = Accept('/');
                if (!divide && !Accept('*')) Accept('·');
            }
        }

        private (double Factor, Dimension Dimension) Power()
        {
            bool root = Accept('√');
            var (factor, dimension) = Atom();
            double exponent = Exponent() * (root ? 0.5 : 1);
            return exponent == 1 ? (factor, dimension) : (Math.Pow(factor, exponent), dimension.Power(exponent));
        }

        private (double Factor, Dimension Dimension) Atom()
        {
            if (Accept('('))
            {
                var inner = Product();
                return Accept(')') ? inner : throw Fault("a parenthesis is not closed");
            }
            if (Accept('1')) return (1, Dimension.None);
            SkipSpace();
            int start = _at;
            while (_at < _text.Length && (char.IsLetter(_text[_at]) || char.GetUnicodeCategory(_text[_at]) == UnicodeCategory.NonSpacingMark
                || _text[_at] is '°' or '%' or '℃' || (_text[_at] == '0' && _at == start + 1 && _text[start] == 'a'))) _at++;
            string symbol = _text[start.._at];
            if (symbol.Length == 0) throw Fault(_at < _text.Length ? $"unexpected '{_text[_at]}'" : "a unit is missing at the end");
            return s_units.TryGetValue(symbol, out var unit) ? unit
                : throw new FormatException($"unknown unit '{symbol}' in '{_text.Trim()}'{Nearest.Hint(symbol, s_units.Keys)}");
        }

        private double Exponent()
        {
            if (_at < _text.Length && Superscript(_text[_at]) is not null)
            {
                double sign = 1, value = 0;
                for (; _at < _text.Length && Superscript(_text[_at]) is { } digit; _at++)
                    if (digit < 0) sign = -1;
                    else value = 10 * value + digit;
                return sign * value;
            }
            if (!Accept('^'))
            {
                SkipSpace();
                if (!_text.AsSpan(_at).StartsWith("**")) return 1;
                _at += 2;
            }
            if (!Accept('(')) return Number();
            double top = Number();
            if (Accept('/')) top /= Number();
            return Accept(')') ? top : throw Fault("a parenthesis is not closed");
        }

        private static int? Superscript(char c) => c switch
        {
            '⁻' => -1,
            '¹' => 1,
            '²' => 2,
            '³' => 3,
            '⁰' => 0,
            >= '⁴' and <= '⁹' => c - '⁰',
            _ => null,
        };

        private readonly FormatException Fault(string what) => new($"'{_text.Trim()}': {what}");

        private readonly char Peek() => _at < _text.Length ? _text[_at] : '\0';

        private bool Accept(char c)
        {
            SkipSpace();
            if (Peek() != c) return false;
            _at++;
            return true;
        }

        private void Digits()
        {
            while (char.IsAsciiDigit(Peek())) _at++;
        }

        private void SkipSpace()
        {
            while (_at < _text.Length && char.IsWhiteSpace(_text[_at])) _at++;
        }
    }
}
