using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Ashlar;

/// <summary>How long an axis is: a number, or a polynomial over <see cref="Symbol"/>s.</summary>
/// <remarks>
/// Sums, differences and products keep one normal form, so two extents are equal exactly when they are the same polynomial:
/// <c>(B * T) * 4 == 4 * T * B</c>. Reshapes that merge symbolic axes need the products; everything else stays affine.
/// Coefficients are whole, or parts of what symbols are multiples of (<c>T/4</c> where every T is a multiple of 8), so that each
/// term is a whole number always.
/// </remarks>
public readonly struct Extent : IEquatable<Extent>
{
    readonly long constant;
    readonly Term[]? terms;   // sorted by Product, no zero factor, null when there is none

    // Factor / Over times the product of the symbols; in lowest terms, Over at least 1.
    readonly record struct Term(string Product, Symbol[] Symbols, long Factor, long Over = 1)
    {
        // What divides the product of the symbols.
        public long MultipleOfSymbols =>
            Symbols.Aggregate(1L, (product, symbol) => Saturate((Int128)product * symbol.MultipleOf));

        public Term With(long factor, long over)
        {
            long common = Gcd(Math.Abs(factor), over);
            return this with { Factor = factor / common, Over = over / common };
        }
    }

    Extent(long constant, Term[]? terms)
    {
        this.constant = constant;
        this.terms = terms is { Length: > 0 } ? terms : null;
    }

    /// <summary>The extent that is this symbol.</summary>
    public static Extent Of(Symbol symbol) => new(0, [new(symbol.Name, [symbol], 1)]);

    /// <summary>True when no symbol occurs.</summary>
    public bool IsConstant => terms is null;

    /// <summary>The number that this extent is.</summary>
    /// <exception cref="ShapeException">A symbol occurs.</exception>
    public long Value => terms is null ? constant : throw new ShapeException("ASH0111",
        $"a number was needed, but the extent is symbolic: {this}.",
        "use a fixed extent here; only batch, token and cache axes may be symbolic.");

    /// <summary>The number that this extent is, where it is one.</summary>
    public bool TryGetValue(out long value)
    {
        value = constant;
        return terms is null;
    }

    /// <summary>Every symbol that occurs, once each, by name.</summary>
    public IEnumerable<Symbol> Symbols => terms is null ? [] : terms.SelectMany(term => term.Symbols).Distinct().Order();

    /// <summary>The least value over all values of the symbols.</summary>
    public long Min => Bound(least: true);

    /// <summary>The greatest value over all values of the symbols; saturates at <see cref="long.MaxValue"/>.</summary>
    public long Max => Bound(least: false);

    /// <summary>A number that divides this extent whatever the symbols are; 0 for the extent 0.</summary>
    public long MultipleOf
    {
        get
        {
            long divisor = Math.Abs(constant);
            foreach (var term in terms ?? [])
                divisor = Gcd(divisor, Saturate((Int128)Math.Abs(term.Factor) * (term.MultipleOfSymbols / term.Over)));
            return divisor;
        }
    }

    /// <summary>The value when each symbol has the value that <paramref name="values"/> gives it.</summary>
    public long Evaluate(Func<Symbol, long> values)
    {
        long sum = constant;
        foreach (var term in terms ?? [])
        {
            long product = term.Factor;
            foreach (var symbol in term.Symbols) product = checked(product * values(symbol));
            sum = checked(sum + product / term.Over);
        }
        return sum;
    }

    /// <summary>The same polynomial with other extents in place of its symbols.</summary>
    /// <exception cref="ShapeException">ASH0133: part of a symbol is not whole with what replaces it.</exception>
    public Extent Substitute(Func<Symbol, Extent> values)
    {
        Extent sum = constant;
        foreach (var term in terms ?? [])
        {
            var product = term.Symbols.Aggregate((Extent)term.Factor, (product, symbol) => product * values(symbol));
            sum += product.TryDivide(term.Over, out var part) ? part : throw new ShapeException("ASH0133",
                $"{product} in place of {term.Product} has no {term.Over}th part in {this}.",
                $"put a multiple of {term.Over} in its place, or a symbol with multipleOf: {term.Over}.");
        }
        return sum;
    }

    /// <summary>Divides where every term of the quotient is whole, whatever values the symbols have.</summary>
    /// <returns>False when one is not, or when <paramref name="divisor"/> is 0 or has more than one term.</returns>
    public bool TryDivide(Extent divisor, out Extent quotient)
    {
        quotient = default;
        if (this == divisor && divisor != 0) { quotient = 1; return true; }
        Term[] one = divisor.terms ?? [];
        if (one.Length == 0 && divisor.constant == 0 || one.Length > 1 || one.Length == 1 && divisor.constant != 0) return false;
        long factor = one.Length == 0 ? divisor.constant : one[0].Factor, over = one.Length == 0 ? 1 : one[0].Over;
        Symbol[] symbols = one.Length == 0 ? [] : one[0].Symbols;
        if (constant % factor != 0 || constant != 0 && symbols.Length > 0) return false;
        Extent sum = constant / factor;   // here Over is 1: there are no symbols, or there is no constant
        foreach (var term in terms ?? [])
        {
            var rest = term.Symbols.ToList();
            if (!symbols.All(rest.Remove)) return false;
            var part = OfProduct([.. rest])
                .With(checked(term.Factor * over * Math.Sign(factor)), checked(term.Over * Math.Abs(factor)));
            if (part.MultipleOfSymbols % part.Over != 0) return false;
            sum += part.Symbols.Length == 0 ? part.Factor : new Extent(0, [part]);
        }
        quotient = sum;
        return true;
    }

    /// <summary>The product of all extents; 1 for none.</summary>
    public static Extent Product(IEnumerable<Extent> extents) => extents.Aggregate((Extent)1, (a, b) => a * b);

    /// <summary>A number is an extent.</summary>
    public static implicit operator Extent(long value) => new(value, null);

    /// <summary>A number is an extent.</summary>
    public static implicit operator Extent(int value) => new(value, null);

    /// <summary>A symbol is an extent.</summary>
    public static implicit operator Extent(Symbol symbol) => Of(symbol);

    /// <summary>The sum.</summary>
    public static Extent operator +(Extent a, Extent b)
    {
        if (a.terms is null && b.terms is null) return checked(a.constant + b.constant);
        return new(checked(a.constant + b.constant), Normalise((a.terms ?? []).Concat(b.terms ?? [])));
    }

    /// <summary>The difference.</summary>
    public static Extent operator -(Extent a, Extent b) => a + b * -1;

    /// <summary>The product.</summary>
    public static Extent operator *(Extent a, Extent b)
    {
        if (a.terms is null && b.terms is null) return checked(a.constant * b.constant);
        var all = from x in a.All() from y in b.All() select Multiply(x, y);
        var products = all.ToLookup(term => term.Symbols.Length == 0);
        return new(products[true].Sum(term => term.Factor), Normalise(products[false]));
    }

    /// <summary>The same polynomial.</summary>
    public static bool operator ==(Extent a, Extent b) => a.Equals(b);

    /// <summary>Another polynomial.</summary>
    public static bool operator !=(Extent a, Extent b) => !a.Equals(b);

    /// <inheritdoc/>
    public bool Equals(Extent other)
    {
        if (constant != other.constant || (terms is null) != (other.terms is null)) return false;
        if (terms is null) return true;
        if (terms.Length != other.terms!.Length) return false;
        for (int i = 0; i < terms.Length; i++)
            if (terms[i].Factor != other.terms[i].Factor || terms[i].Over != other.terms[i].Over
                || !terms[i].Symbols.AsSpan().SequenceEqual(other.terms[i].Symbols)) return false;
        return true;
    }

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Extent other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(constant);
        foreach (var term in terms ?? [])
        {
            hash.Add(term.Product);
            hash.Add(term.Factor);
            hash.Add(term.Over);
        }
        return hash.ToHashCode();
    }

    /// <summary>As the text forms write it: <c>4*B*T+1</c>, <c>3*T/4</c>.</summary>
    public override string ToString()
    {
        if (terms is null) return constant.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var text = new StringBuilder();
        foreach (var term in terms)
        {
            if (term.Factor < 0) text.Append('-');
            else if (text.Length > 0) text.Append('+');
            if (Math.Abs(term.Factor) != 1) text.Append(Math.Abs(term.Factor)).Append('*');
            text.Append(term.Product);
            if (term.Over != 1) text.Append('/').Append(term.Over);
        }
        if (constant > 0) text.Append('+');
        if (constant != 0) text.Append(constant);
        return text.ToString();
    }

    IEnumerable<Term> All() => constant == 0 ? terms ?? [] : (terms ?? []).Prepend(new("", [], constant));

    static Term Multiply(Term a, Term b)
    {
        return OfProduct([.. a.Symbols.Concat(b.Symbols).Order()]).With(checked(a.Factor * b.Factor), checked(a.Over * b.Over));
    }

    static Term OfProduct(Symbol[] symbols) => new(string.Join('*', symbols.Select(symbol => symbol.Name)), symbols, 1);

    static Term Add(Term a, Term b)
    {
        long common = Gcd(a.Over, b.Over);
        return a.With(checked(a.Factor * (b.Over / common) + b.Factor * (a.Over / common)), checked(a.Over / common * b.Over));
    }

    static Term[] Normalise(IEnumerable<Term> terms) =>
        [.. from term in terms
            group term by term.Product into same
            let sum = same.Aggregate(Add)
            where sum.Factor != 0
            orderby same.Key
            select sum];

    long Bound(bool least)
    {
        Int128 sum = constant;
        foreach (var term in terms ?? [])
        {
            bool low = least == term.Factor > 0;
            Int128 product = term.Factor;
            foreach (var symbol in term.Symbols) product = Saturate(product * (low ? symbol.Min : symbol.Max));
            sum += product / term.Over;
        }
        return Saturate(sum);
    }

    static long Saturate(Int128 value) =>
        value > long.MaxValue ? long.MaxValue : value < long.MinValue ? long.MinValue : (long)value;

    static long Gcd(long a, long b) => b == 0 ? a : Gcd(b, a % b);
}
