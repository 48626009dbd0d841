using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>An index expression as <c>Constant + sum of Factor * Atom</c>: what strides, bounds and simplification are read
/// from.</summary>
/// <remarks>
/// Atoms are Index nodes, or int64 scalars that are not affine (a loaded index, a floor division that does not simplify).
/// Factors and the constant are extents, so symbolic strides work like numbers.
/// </remarks>
public sealed class Affine
{
    readonly SortedDictionary<long, (Node Atom, Extent Factor)> terms;   // by the atom's id: one normal form

    Affine(Extent constant, SortedDictionary<long, (Node, Extent)> terms)
    {
        Constant = constant;
        this.terms = terms;
    }

    /// <summary>The part without atoms.</summary>
    public Extent Constant { get; }

    /// <summary>The atoms with their factors, none of them 0.</summary>
    public IEnumerable<(Node Atom, Extent Factor)> Terms => terms.Values;

    /// <summary>True when no atom occurs.</summary>
    public bool IsConstant => terms.Count == 0;

    /// <summary>The expression that is this extent.</summary>
    public static Affine Of(Extent constant) => new(constant, []);

    /// <summary>The expression of an int64 scalar.</summary>
    public static Affine Of(Node node)
    {
        switch (node)
        {
            case { Attributes: ConstantAttributes constant }:
                return Of(constant.Integer);
            case { Attributes: SizeAttributes size }:
                return Of(size.Extent);
            case (Op.Add, [var a, var b]):
                return Of(a) + Of(b);
            case (Op.Sub, [var a, var b]):
                return Of(a) - Of(b);
            case (Op.Neg, [var a]):
                return Of(a) * -1;
            case (Op.Mul, [var a, var b]):
                Affine left = Of(a), right = Of(b);
                if (right.IsConstant) return left * right.Constant;
                if (left.IsConstant) return right * left.Constant;
                break;
            case (Op.Div, [var a, var b]) when Of(b) is { IsConstant: true } divisor:
                return Of(a).Divide(divisor.Constant);
            case (Op.Mod, [var a, var b]) when Of(b) is { IsConstant: true } divisor:
                return Of(a).Modulo(divisor.Constant);
        }
        return Atom(node);
    }

    /// <summary>The expression that is one loop variable.</summary>
    public static Affine Of(LoopVariable variable) => Atom(variable.Index());

    /// <summary>How much the expression grows when an atom grows by 1; 0 where the atom does not occur as a term.</summary>
    public Extent FactorOf(Node atom) => terms.TryGetValue(atom.Id, out var term) ? term.Factor : 0;

    /// <summary>The expression as a node in normal form: equal expressions give the same node.</summary>
    public Node ToNode()
    {
        // Loop variables first: atoms without variables may live on from another program, so their ids say nothing about this
        // one.
        Node? sum = null;
        foreach (var (atom, factor) in terms.Values.OrderBy(term => term.Atom.Op != Op.Index))
        {
            var term = factor == 1 ? atom : Nodes.Binary(Op.Mul, atom, Nodes.Size(factor));
            sum = sum is null ? term : Nodes.Binary(Op.Add, sum, term);
        }
        if (sum is null) return Nodes.Size(Constant);
        return Constant == 0 ? sum : Nodes.Binary(Op.Add, sum, Nodes.Size(Constant));
    }

    /// <summary>Floor division, simplified where the atoms' ranges allow; 0 by 0, as integers everywhere.</summary>
    public Affine Divide(Extent divisor)
    {
        if (divisor == 0) return Of(0);   // an index into an array without elements
        if (divisor == 1) return this;
        var (whole, rest) = Split(divisor);
        if (rest.IsWithin(divisor)) return whole;
        if (rest.CommonFactor(divisor) is var (factor, multiples, _, smaller)) return whole + multiples.Divide(smaller);
        return whole + Atom(Nodes.Binary(Op.Div, rest.ToNode(), Nodes.Size(divisor)));
    }

    /// <summary>The rest of floor division, simplified where the atoms' ranges allow; 0 by 0.</summary>
    public Affine Modulo(Extent divisor)
    {
        if (divisor == 1 || divisor == 0) return Of(0);
        var (_, rest) = Split(divisor);
        if (rest.IsWithin(divisor)) return rest;
        if (rest.CommonFactor(divisor) is var (factor, multiples, small, smaller))
            return multiples.Modulo(smaller) * factor + small;
        return Atom(Nodes.Binary(Op.Mod, rest.ToNode(), Nodes.Size(divisor)));
    }

    /// <summary>True when every value is at least 0 and below <paramref name="limit"/>.</summary>
    public bool IsWithin(Extent limit) => Bounds() is var (least, greatest) && least.Min >= 0 && (limit - 1 - greatest).Min >= 0;

    /// <summary>The least and greatest value; null where an atom's range is unknown.</summary>
    public (Extent Least, Extent Greatest)? Bounds()
    {
        Extent least = Constant, greatest = Constant;
        foreach (var (atom, factor) in terms.Values)
        {
            Extent last;
            if (atom.Op == Op.Index) last = atom.Variable().Count - 1;
            else if (atom is (Op.Mod, [_, { Attributes: ConstantAttributes { Integer: > 0 } number }])) last = number.Integer - 1;
            else return null;
            if (factor.Min >= 0) greatest += factor * last;
            else if (factor.Max <= 0) least += factor * last;
            else return null;
        }
        return (least, greatest);
    }

    /// <summary>The expression with others in place of its atoms; null keeps an atom.</summary>
    public Affine Substitute(Func<Node, Affine?> replace)
    {
        var sum = Of(Constant);
        foreach (var (atom, factor) in terms.Values) sum += (replace(atom) ?? Atom(atom)) * factor;
        return sum;
    }

    /// <summary>The sum.</summary>
    public static Affine operator +(Affine a, Affine b)
    {
        var sum = new SortedDictionary<long, (Node Atom, Extent Factor)>(a.terms);
        foreach (var (id, (atom, factor)) in b.terms)
        {
            Extent total = sum.TryGetValue(id, out var old) ? old.Factor + factor : factor;
            if (total == 0) sum.Remove(id);
            else sum[id] = (atom, total);
        }
        return new(a.Constant + b.Constant, sum);
    }

    /// <summary>The sum.</summary>
    public static Affine operator +(Affine a, Extent b) => new(a.Constant + b, a.terms);

    /// <summary>The difference.</summary>
    public static Affine operator -(Affine a, Affine b) => a + b * -1;

    /// <summary>The product.</summary>
    public static Affine operator *(Affine a, Extent b)
    {
        var product = new SortedDictionary<long, (Node, Extent)>();
        if (b != 0)
            foreach (var (id, (atom, factor)) in a.terms) product[id] = (atom, factor * b);
        return new(a.Constant * b, product);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        string.Join(" + ",
            terms.Values.Select(term =>
                $"{term.Factor}*{(term.Atom.Op == Op.Index ? term.Atom.Variable().Name : term.Atom.Meaning.Name)}")
                    .Append(Constant.ToString()));

    static Affine Atom(Node node) => new(0, new() { [node.Id] = (node, 1) });

    // (4 v + c) / 16 is v / 4 where 0 <= c < 4: a factor of the divisor that all but a small rest share.
    (Extent Factor, Affine Multiples, Affine Small, Extent Divisor)? CommonFactor(Extent divisor)
    {
        foreach (var (_, factor) in terms.Values)
        {
            if (factor == 1 || factor.Min < 1 || !divisor.TryDivide(factor, out var smaller)) continue;
            var (multiples, small) = Split(factor);
            if (!multiples.IsConstant && small.IsWithin(factor)) return (factor, multiples, small, smaller);
        }
        return null;
    }

    // The terms that the divisor divides, already divided, and the others.
    (Affine Whole, Affine Remainder) Split(Extent divisor)
    {
        Affine whole = Of(0), rest = Of(0);
        foreach (var (atom, factor) in terms.Values)
        {
            if (factor.TryDivide(divisor, out var quotient)) whole += Atom(atom) * quotient;
            else rest += Atom(atom) * factor;
        }
        if (Constant.TryDivide(divisor, out var constant)) whole += constant;
        else if (Constant.TryGetValue(out long number) && divisor.TryGetValue(out long by))
        {
            long floor = number / by - (number % by < 0 ? 1 : 0);
            whole += floor;
            rest += number - floor * by;
        }
        else rest += Constant;
        return (whole, rest);
    }
}
