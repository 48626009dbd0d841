using Ashlar.Graph;

namespace Ashlar.Tests.Compiler;

/// <summary>Functions that exercise the compiler: each kind of kernel, and the patterns of a model's step.</summary>
static class Programs
{
    public static readonly Symbol Rows = new("R", 1, 4096);

    public static readonly SortedDictionary<string, Func<Function>> All = new()
    {
        ["gelu(x*w+b)"] = () =>
        {
            Node x = P(0, 33, 17), w = P(1, 17), b = P(2, 17);
            return F([x, w, b], Node.Of(Op.Gelu, [x * S(w, x) + S(b, x)], new GeluAttributes(true)));
        },
        ["softmax"] = () => { var x = P(0, 9, 33); return F([x], Node.Of(Op.Softmax, [x], new AxisAttributes(1))); },
        ["softmax middle axis"] = () =>
            { var x = P(0, 3, 9, 5); return F([x], Node.Of(Op.Softmax, [x], new AxisAttributes(1))); },
        ["softmax gradient"] = () =>
        {
            Node x = P(0, 9, 33), dy = P(1, 9, 33);
            return F([x, dy], Gradients.Of([Node.Of(Op.Softmax, [x], new AxisAttributes(1))], [dy], [x]));
        },
        ["layer norm"] = () =>
            {
                Node x = P(0, 9, 33), w = P(1, 33), b =
                P(2, 33); return F([x, w, b], Node.Of(Op.LayerNorm, [x, w, b], new NormAttributes(1e-5)));
            },
        ["layer norm gradient"] = () =>
        {
            Node x = P(0, 9, 33), w = P(1, 33), b = P(2, 33), dy = P(3, 9, 33);
            return F([x, w, b, dy], Gradients.Of([Node.Of(Op.LayerNorm, [x, w, b], new NormAttributes(1e-5))], [dy], [x, w, b]));
        },
        ["layer norm gradient of many rows"] = () =>
        {
            Node x = P(0, 640, 129), w = P(1, 129), b = P(2, 129), dy = P(3, 640, 129);
            return F([x, w, b, dy], Gradients.Of([Node.Of(Op.LayerNorm, [x, w, b], new NormAttributes(1e-5))], [dy], [x, w, b]));
        },
        ["prologues"] = () =>
        {
            Node x = P(0, 3, 7, 19), g = P(1, 19), w = P(2, 3, 19, 21), s = P(3, 21);
            var scaled = Nodes.Unary(Op.Sigmoid, x) * S(g, x);
            return F([x, g, w, s], Nodes.Contract(scaled, w * 2.0 - S(s, w), [0], [0], [2], [1]) * 0.5);
        },
        ["prologues of other types"] = () =>
        {
            Node a = Nodes.Parameter(0, DType.BFloat16, [20, 33]), b = Nodes.Parameter(1, DType.Int8, [33, 17]), s = P(2, 17);
            return F([a, b, s],
                Nodes.MatMul(Nodes.Cast(a, DType.Float32),
                    Nodes.Cast(b, DType.Float32) * Nodes.Broadcast(Nodes.Reshape(s, [1, 17]), [33, 17])));
        },
        ["cross entropy gradient"] = () =>
        {
            Node x = P(0, 9, 33), t = I(1, 33, 9);
            var loss = Nodes.Sum(Node.Of(Op.CrossEntropy, [x, t]), 0);
            return F([x, t], [loss, .. Gradients.Of([loss], [loss.Like(1)], [x])]);
        },
        ["linear gelu"] = () =>
        {
            Node x = P(0, 7, 19), w = P(1, 19, 21), b = P(2, 21);
            var y = Nodes.MatMul(x, w);
            return F([x, w, b], Node.Of(Op.Gelu, [y + S(b, y)], new GeluAttributes(false)));
        },
        ["attention"] = () =>
        {
            Node q = P(0, 2, 5, 4, 6), k = P(1, 2, 7, 2, 6), v = P(2, 2, 7, 2, 6);
            return F([q, k, v], Node.Of(Op.Attention, [q, k, v], new AttentionAttributes(0.4, Causal: true)));
        },
        ["attention gradient"] = () =>
        {
            Node x = P(0, 2, 5, 24), y;
            Node H(Node t) => Nodes.Reshape(t, [2, 5, 4, 6]);
            y = Node.Of(Op.Attention, [H(x), H(x * 2.0), H(x * x)], new AttentionAttributes(0.4, Causal: true));
            return F([x], Gradients.Of([y], [y.Like(1)], [x]));
        },
        ["two layer gradient"] = TwoLayers,
        ["adamw"] = () =>
        {
            Node p = P(0, 130), m = P(1, 130), v = P(2, 130), g = P(3, 130);
            var m1 = m * 0.9 + g * 0.1;
            var v1 = v * 0.999 + g * g * 0.001;
            return F([p, m, v, g], [p - (m1 / (Nodes.Unary(Op.Sqrt, v1 * v1) + 1e-8) + p * 0.1) * 3e-4, m1, v1]);
        },
        ["sum over rows"] = () =>
            {
                var x = P(0, 37, 41); return F([x],
                [Nodes.Sum(x * x, 0), Nodes.Reduce(Op.ReduceMax, x, 0), Nodes.Arg(Op.ArgMin, x, 0)]);
            },
        ["norm of many"] = () =>
        {
            Node[] x = [.. Enumerable.Range(0, 90).Select(i => P(i, 3 + i % 4))];
            var sum = x.Select(each => Nodes.Sum(each * each, 0)).Aggregate((a, b) => a + b);
            return F(x, Nodes.Unary(Op.Sqrt, sum));
        },
        ["sum of many"] = () =>
        {
            Node[] x = [.. Enumerable.Range(0, 90).Select(i => P(i, 5, 7))];
            return F(x, x.Aggregate((a, b) => a + b) * 2.0);
        },
        ["sum of all"] = () => { var x = P(0, 512, 512); return F([x], Nodes.Sum(Nodes.Sum(x * x, 1), 0), Nodes.Sum(x, 0, 1)); },
        ["middle reductions"] = () =>
            {
                var x = P(0, 4, 5, 6, 7); return F([x],
                [Nodes.Sum(x, 1), Nodes.Sum(x, 0, 2), Nodes.Sum(x, 1, 3), Nodes.Arg(Op.ArgMax, x, 2)]);
            },
        ["movement"] = () =>
        {
            var x = P(0, 6, 8);
            var padded = Nodes.Pad(Nodes.Permute(x, 1, 0), [1, 0], [0, 2], Nodes.Constant(3.0, DType.Float32, Shape.Scalar));
            var joined = Nodes.Concat(1, padded, Nodes.Flip(padded, 0), Nodes.SliceAxis(padded, 1, 1, 3, 2));
            return F([x], Nodes.Exp(Nodes.Reshape(joined, [3, 57])));
        },
        ["windows"] = () =>
        {
            var x = P(0, 2, 11);
            var windows = Nodes.Window(x, 1, 3, stride: 2);
            return F([x], [Nodes.Reduce(Op.ReduceMax, windows, 2), Nodes.Fold(windows * 2.0, 1, 11, stride: 2)]);
        },
        ["convolution"] = () =>
        {
            Node x = P(0, 2, 3, 8, 9), w = P(1, 4, 3, 3, 3);
            var windows = Nodes.Window(Nodes.Window(x, 3, 3), 2, 3);   // [2, 3, 6, 3, 7, 3]
            return F([x, w], Nodes.Contract(windows, w, [], [], [1, 3, 5], [1, 2, 3]));
        },
        ["embedding"] = () =>
        {
            Node table = P(0, 11, 6), ids = I(1, 11, 5), dy = P(2, 5, 6);
            var index = Nodes.Broadcast(Nodes.Reshape(ids, [5, 1]), [5, 6]);
            return F([table, ids, dy],
                [Nodes.Gather(table, index, 0) * 2.0, Nodes.Scatter(table.Like(0), index, dy, 0, ScatterMode.Add)]);
        },
        ["scatter last axis"] = () =>
        {
            Node x = P(0, 3, 9), ids = I(1, 9, 3, 4), u = P(2, 3, 4);
            return F([x, ids, u], [Nodes.Scatter(x, ids, u, 1, ScatterMode.Set), Nodes.Scatter(x, ids, u, 1, ScatterMode.Max)]);
        },
        ["scans and sorts"] = () =>
        {
            var x = P(0, 5, 13, 3);
            var order = Nodes.ArgSort(x, 1, descending: true);
            return F([x], [Nodes.Scan(Op.CumSum, x * 2.0, 1), Nodes.Scan(Op.CumMax, x, 2, reverse: true), order,
                Nodes.Gather(x, order, 1)]);
        },
        ["random"] = () =>
        {
            var x = P(0, 40);
            var bits = Nodes.RandomBits(Nodes.Constant(1L, DType.Int32, [40]), Nodes.Constant(2L, DType.Int32, [40]),
                Nodes.Iota(0, DType.Int32, [40]));
            return F([x], Nodes.Select(Nodes.Binary(Op.Less, bits, bits.Like(0)), x, x.Like(0)));
        },
        ["integers"] = () =>
        {
            Node a = Nodes.Parameter(0, DType.Int8, [50]), b = Nodes.Parameter(1, DType.Int8, [50]);
            return F([a, b], [a * b + a, Nodes.Binary(Op.Div, a, b), Nodes.Binary(Op.Mod, a, b), Nodes.Sum(a, 0)]);
        },
        ["bfloat16"] = () =>
        {
            Node a = Nodes.Parameter(0, DType.BFloat16, [5, 32]), b = Nodes.Parameter(1, DType.BFloat16, [32, 7]);
            return F([a, b], [Nodes.Cast(Nodes.MatMul(a, b), DType.Float32)]);
        },
        ["symbolic rows"] = () =>
        {
            Node x = Nodes.Parameter(0, DType.Float32, [Rows, 33]), w = P(1, 33, 5);
            return F([x, w],
                [Node.Of(Op.Softmax, [x], new AxisAttributes(1)), Nodes.MatMul(x, w),
                    Nodes.Sum(x, 0) / Nodes.SizeLike(Rows, Nodes.Sum(x, 0))]);
        },
        ["symbolic columns"] = () =>
        {
            var x = Nodes.Parameter(0, DType.Float32, [Rows, 4, Rows]);
            return F([x],
                [Node.Of(Op.Softmax, [x], new AxisAttributes(2)),
                    Nodes.Reshape(Nodes.Exp(x), [Rows * (Extent)4, Rows]), x * 2.0]);
        },
        ["float16"] = () =>
        {
            Node a = Nodes.Parameter(0, DType.Float16, [5, 33]), b = Nodes.Parameter(1, DType.Float16, [33, 7]);
            return F([a, b], [Nodes.Cast(Nodes.MatMul(a, b), DType.Float32), Nodes.Unary(Op.Tanh, a) * a]);
        },
        ["float64"] = () =>
        {
            Node a = Nodes.Parameter(0, DType.Float64, [17, 33]), b = Nodes.Parameter(1, DType.Float64, [33, 19]);
            return F([a, b], [Nodes.MatMul(a, b), Nodes.Softmax(a, 1)]);
        },
        ["int16"] = () =>
        {
            Node a = Nodes.Parameter(0, DType.Int16, [5, 33]), b = Nodes.Parameter(1, DType.Int16, [5, 33]);
            return F([a, b], [a * b + a, Nodes.Binary(Op.Div, a, b), Nodes.Binary(Op.Max, a, b), Nodes.Sum(a, 1),
                Nodes.Reduce(Op.ReduceMin, b, 0), Nodes.Scan(Op.CumSum, a, 1)]);
        },
        ["bits"] = () =>
        {
            var x = P(0, 3, 17);
            var bits = Nodes.BitCast(x, DType.Int32);
            var unsigned = Nodes.Binary(Op.And, bits, Nodes.Constant((long)int.MaxValue, DType.Int32, x.Shape));
            return F([x],
                [bits, Nodes.BitCast(unsigned, DType.Float32), Nodes.BitCast(Nodes.Cast(x, DType.BFloat16), DType.Int16),
                Nodes.BitCast(Nodes.Cast(x, DType.Float16), DType.Int16),
                Nodes.BitCast(Nodes.BitCast(Nodes.Cast(x, DType.Float64), DType.Int64), DType.Float64),
                Nodes.BitCast(Nodes.Cast(x, DType.Int8), DType.UInt8)]);
        },
        ["products along axes"] = () =>
        {
            Node x = P(0, 7, 17), n = Nodes.Parameter(1, DType.Int32, [7, 17]);
            return F([x, n],
                [Nodes.Reduce(Op.ReduceProd, x, 1), Nodes.Reduce(Op.ReduceProd, x, 0), Nodes.Reduce(Op.ReduceProd, n, 0),
                Nodes.Scan(Op.CumProd, x, 1), Nodes.Scan(Op.CumProd, n, 0, reverse: true)]);
        },
        ["rms norm gradient"] = () =>
        {
            Node x = P(0, 9, 33), w = P(1, 33), dy = P(2, 9, 33);
            var y = Nodes.RmsNorm(x, w);
            return F([x, w, dy], [y, .. Gradients.Of([y], [dy], [x, w])]);
        },
        ["log softmax gradient"] = () =>
        {
            Node x = P(0, 9, 33), dy = P(1, 9, 33);
            var y = Nodes.LogSoftmax(x, 1);
            return F([x, dy], [y, .. Gradients.Of([y], [dy], [x])]);
        },
        ["gates"] = () =>
        {
            Node x = P(0, 9, 33), y = P(1, 9, 33);
            Node[] gates = [Nodes.Silu(x), Nodes.SwiGlu(x, y)];
            return F([x, y], [.. gates, .. Gradients.Of(gates, [y, y], [x, y])]);
        },
        ["rotary"] = () =>
        {
            Node x = P(0, 2, 5, 3, 16), cos = P(1, 5, 8), sin = P(2, 5, 8);
            Node[] turned = [Nodes.Rope(x, cos, sin), Nodes.Rope(x, cos, sin, interleaved: true)];
            return F([x, cos, sin], [.. turned, .. Gradients.Of(turned, [x * x, x], [x])]);
        },
        ["custom gradient"] = () =>
        {
            Node x = P(0, 5, 17), inner = P(0, 5, 17), dy = P(0, 5, 17), y = P(1, 5, 17), again = P(2, 5, 17);
            var region = new CustomAttributes(F([inner], Nodes.Exp(inner) * inner), F([dy, y, again], dy * y + again), "own");
            var called = Node.Of(Op.Custom, [x], region);
            return F([x], [called, .. Gradients.Of([called * called], [x], [x])]);
        },
        ["roundings and functions"] = () =>
        {
            Node x = P(0, 45), y = P(1, 45), positive = Nodes.Unary(Op.Abs, x) + 0.25;
            return F([x, y],
                [.. new[] { Op.Sign, Op.Sin, Op.Cos, Op.Tanh, Op.Erf, Op.Recip, Op.Floor, Op.Ceil, Op.Round, Op.Trunc }
                    .Select(op => Nodes.Unary(op, x)),
                Nodes.Log(positive), Nodes.Rsqrt(positive), Nodes.Binary(Op.Pow, positive, y), Nodes.Binary(Op.Mod, x, positive),
                Nodes.Min(x, y)]);
        },
        ["logic and shifts"] = () =>
        {
            Node a = Nodes.Parameter(0, DType.Int32, [45]), b = Nodes.Parameter(1, DType.Int32, [45]),
                count = Nodes.Binary(Op.Mod, b, b.Like(40));
            Node less = Nodes.Binary(Op.Less, a, b), even = Nodes.Binary(Op.Equal, Nodes.Binary(Op.And, a, a.Like(1)), a.Like(0));
            return F([a, b], [Nodes.Binary(Op.And, a, b), Nodes.Binary(Op.Or, a, b), Nodes.Binary(Op.Xor, a, b),
                Nodes.Unary(Op.Not, a), Nodes.Binary(Op.Shl, a, count),
                Nodes.Binary(Op.Shr, -a, count), Nodes.Binary(Op.Or, less, even), Nodes.Unary(Op.Not, less),
                Nodes.Binary(Op.NotEqual, a, b), Nodes.Binary(Op.LessEqual, a, b),
                Nodes.Select(Nodes.Binary(Op.Xor, less, even), a, b)]);
        },
        ["part without elements"] = () =>
        {
            Node x = P(0, 2, 3), none = P(1, 2, 1, 3, 0);
            return F([x, none],
                Nodes.Concat(1, x, Nodes.Reshape(Nodes.Reduce(Op.ReduceProd, Nodes.Broadcast(none, [2, 4, 3, 0]), 1), [2, 0])));
        },
        ["results twice"] = () => { var x = P(0, 8); var y = x * 2.0; return F([x], [y, y, x, Nodes.Reshape(y, [2, 4])]); },
        ["empty"] = () => { var x = P(0, 0, 4); return F([x], [x * 2.0, Nodes.Sum(x, 0), Nodes.Sum(x, 1)]); },
        ["scalar"] = () => { var x = P(0); return F([x], Nodes.Exp(x) * x); },
    };

    /// <summary>How far results on the processor may be from the interpreter's, relative beyond 1: what rounding of the types
    /// adds up to.</summary>
    public static double Tolerance(string name) => name switch
    {
        "bfloat16" => 1.0 / 128,
        "float16" => 1.0 / 1024,
        "sum of all" => 1e-4,
        _ => 2e-5,
    };

    /// <summary>The value that tests give to every symbol.</summary>
    public static long Symbols(Symbol symbol) => 13;

    public static Function TwoLayers()
    {
        Node x = P(0, 6, 9), w1 = P(1, 9, 12), b1 = P(2, 12), w2 = P(3, 12, 5), t = I(4, 5, 6);
        var h = Nodes.MatMul(x, w1);
        h = Node.Of(Op.Gelu, [h + S(b1, h)], new GeluAttributes(true));
        var loss = Nodes.Sum(Node.Of(Op.CrossEntropy, [Nodes.MatMul(h, w2), t]), 0) * (1.0 / 6);
        return F([x, w1, b1, w2, t], [loss, .. Gradients.Of([loss], [loss.Like(1)], [w1, b1, w2])]);
    }

    public static Node P(int index, params int[] shape) => Nodes.Parameter(index, DType.Float32, shape);

    /// <summary>An int32 parameter whose values stay below <paramref name="limit"/>, which its name carries.</summary>
    public static Node I(int index, int limit, params int[] shape) => Nodes.Parameter(index, DType.Int32, shape, $"below{limit}");

    public static Node S(Node x, Node like) => Nodes.Stretch(x, like.Shape);

    public static Function F(Node[] parameters, params Node[] results) => new(parameters.ToValueList(), results.ToValueList());

    public static Value[] Arguments(Function function, int seed)
    {
        var random = new Random(seed);
        return [.. function.Parameters.Select(parameter =>
        {
            var value = Value.Zeros([.. parameter.Shape.Select(extent => extent.Evaluate(Symbols))]);
            string? name = parameter.Get<ParameterAttributes>().Name;
            int limit = name?.StartsWith("below", StringComparison.Ordinal) == true
                ? int.Parse(name.AsSpan(5), System.Globalization.CultureInfo.InvariantCulture)
                : 100;
            for (int i = 0; i < value.Data.Length; i++)
                value.Data[i] = parameter.DType.IsFloat ? Rounded(random.NextDouble() * 4 - 2, parameter.DType)
                    : parameter.DType switch
                    {
                        DType.Bool => random.Next(2),
                        DType.Int8 => random.Next(-128, 128),
                        DType.Int16 => random.Next(-32768, 32768),
                        _ => random.Next(limit),
                    };
            return value;
        })];
    }

    static double Rounded(double value, DType dtype) => dtype switch
    {
        DType.BFloat16 => (BFloat16)value,
        DType.Float16 => (double)(Half)value,
        DType.Float32 => (float)value,
        _ => value,
    };

    public static void AssertClose(Value expected, Value actual, double tolerance, string what)
    {
        Assert.Equal(expected.Extents, actual.Extents);
        for (int i = 0; i < expected.Data.Length; i++)
        {
            double e = expected.Data[i], a = actual.Data[i];
            bool same = e.Equals(a) || Math.Abs(e - a) <= tolerance * Math.Max(1, Math.Abs(e));
            Assert.True(same, $"{what}: element {i} is {a}, expected {e}");
        }
    }
}
