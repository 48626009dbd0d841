using Ashlar.Backends.Cpu;
using Ashlar.Graph;

namespace Ashlar.Bench;

/// <summary>A function to time, with the work it does and the limit of the machine that work runs into.</summary>
/// <param name="Name">As results list it, without the threads: <c>elementwise.gelu</c>.</param>
/// <param name="Function">What runs, at O2.</param>
/// <param name="Work">Bytes or flops of one run.</param>
/// <param name="Limit">What bounds it.</param>
public sealed record Workload(string Name, Func<Function> Function, double Work, Limit Limit)
{
    /// <summary>The share of the limit it must reach; null where it is for information.</summary>
    public Target? Target { get; init; }

    /// <summary>Results written over parameters.</summary>
    public ValueList<(int Result, int Parameter)>? Donations { get; init; }

    /// <summary>For work that may be bound by a second limit: that limit and the bytes or flops it counts. The nearer bound is
    /// reported.</summary>
    public (Limit Limit, double Work)? OtherLimit { get; init; }

    /// <summary>Integer inputs are drawn from 0 up to this.</summary>
    public int Classes { get; init; } = 1;

    /// <summary>Parameters that must not be negative.</summary>
    public ValueList<int> Positive { get; init; } = [];

    /// <summary>A parameter that comes from memory, not from a cache: each run takes another of enough copies.</summary>
    public int? FromMemory { get; init; }
}

/// <summary>The functions that benchmarks time.</summary>
public static class Workloads
{
    /// <summary>Fused elementwise chains over more than the caches hold.</summary>
    public static IEnumerable<Workload> Elementwise()
    {
        var bandwidth = Target.AtLeast(0.85);
        int n = 64 << 20;   // 256 MB of float32
        yield return new("elementwise.gelu", () => Chain(n), 2.0 * n * 4, Limit.CopyStreaming) { Target = bandwidth };
        int parameters = 100_000_000;
        yield return new("elementwise.adamw", () => AdamW(parameters), 7.0 * parameters * 4, Limit.InPlace)
        {
            Target = bandwidth,
            Donations = [(0, 0), (1, 1), (2, 2)],
            Positive = [2],
        };
    }

    /// <summary>Normalisations, softmax and cross-entropy over rows of 4096, forward and backward.</summary>
    public static IEnumerable<Workload> Norms()
    {
        const int rows = 16384, width = 4096;
        const double pass = 4.0 * rows * width;
        foreach (var workload in All()) yield return workload with { Target = Target.AtLeast(0.75), Classes = width };

        static IEnumerable<Workload> All()
        {
            yield return new("norm.softmax.forward",
                () => Forward(rows, width, x => Node.Of(Op.Softmax, [x], new AxisAttributes(1))), 2 * pass, Limit.CopyStreaming);
            yield return new("norm.softmax.backward", () => Backward(rows, width,
                x => Node.Of(Op.Softmax, [x], new AxisAttributes(1)), fromResult: true), 3 * pass, Limit.CopyStreaming);
            yield return new("norm.rms_norm.forward", () => Forward(rows, width, Rms), 2 * pass, Limit.CopyStreaming);
            yield return new("norm.rms_norm.backward", () => Backward(rows, width, Rms), 3 * pass, Limit.CopyStreaming);
            yield return new("norm.layer_norm.forward", () => Forward(rows, width, Layer), 2 * pass, Limit.CopyStreaming);
            yield return new("norm.layer_norm.backward", () => Backward(rows, width, Layer), 3 * pass, Limit.CopyStreaming);
            yield return new("norm.cross_entropy.forward", () => CrossEntropy(rows, width, backward: false), pass, Limit.Read);
            yield return new("norm.cross_entropy.backward",
                () => CrossEntropy(rows, width, backward: true), 2 * pass, Limit.CopyStreaming);
        }
    }

    /// <summary>Float32 matrix products: squares, and few rows against a large matrix.</summary>
    public static IEnumerable<Workload> Gemm()
    {
        foreach (int n in (int[])[512, 768, 1024, 1536, 2048]) yield return Product(n, n, n);
        foreach (int m in (int[])[1, 8, 32]) yield return Product(m, 4096, 4096);
    }

    /// <summary>Products of bfloat16 and of int8 where the tile unit computes them: squares, operands and result row-major in
    /// memory.</summary>
    public static IEnumerable<Workload> TileGemm()
    {
        foreach (var (dtype, limit, share) in new[] { (DType.BFloat16, Limit.AmxBF16, 0.50), (DType.Int8, Limit.AmxInt8, 0.45) })
        {
            if (MatrixUnit.PathOf(Isa.Chosen, dtype, dtype).Name != "amx") continue;
            foreach (int n in (int[])[1024, 2048, 4096]) yield return TileProduct(dtype, limit, n, n, n) with
            {
                Target = Target.AtLeast(share),
            };
        }
    }

    // bfloat16 gives bfloat16, int8 gives int32, as the tensors of these types do.
    static Workload TileProduct(DType dtype, Limit limit, int m, int n, int k) =>
        new($"gemm.{(dtype == DType.Int8 ? "int8" : dtype.Name)}.m{m}_n{n}_k{k}",
            () => TileProductOf(dtype, m, n, k), 2.0 * m * n * k, limit);

    internal static Function TileProductOf(DType dtype, int m, int n, int k)
    {
        Node a = Nodes.Parameter(0, dtype, [m, k]), b = Nodes.Parameter(1, dtype, [k, n]);
        var sums = dtype.IsFloat ? dtype : dtype.Compute;
        return new([a, b], [Nodes.MatMul(Nodes.Cast(a, sums), Nodes.Cast(b, sums))]);
    }

    public static Workload Product(int m, int n, int k)
    {
        double flops = 2.0 * m * n * k, bytes = 4.0 * ((double)m * k + (double)k * n + (double)m * n);
        return new($"gemm.f32.m{m}_n{n}_k{k}", () =>
        {
            Node a = Nodes.Parameter(0, DType.Float32, [m, k]), b = Nodes.Parameter(1, DType.Float32, [k, n]);
            return new([a, b], [Nodes.MatMul(a, b)]);
        }, flops, Limit.Fma)
        {
            OtherLimit = m <= 64 ? (Limit.Read, bytes) : null,
            FromMemory = m <= 64 ? 1 : null,
            Target = m == 1 ? null : Target.AtLeast(m <= 64 ? 0.80 : 0.78),
        };
    }

    static Function Chain(int n)
    {
        const int width = 4096;
        Node x = Nodes.Parameter(0, DType.Float32, [n / width, width]), w = Nodes.Parameter(1, DType.Float32, [width]),
            b = Nodes.Parameter(2, DType.Float32, [width]);
        return new([x, w, b],
            [Node.Of(Op.Gelu, [x * Nodes.Stretch(w, x.Shape) + Nodes.Stretch(b, x.Shape)], new GeluAttributes(true))]);
    }

    static Function AdamW(int n)
    {
        Node p = Nodes.Parameter(0, DType.Float32, [n]), m = Nodes.Parameter(1, DType.Float32, [n]),
            v = Nodes.Parameter(2, DType.Float32, [n]), g = Nodes.Parameter(3, DType.Float32, [n]);
        return new([p, m, v, g], GptStep.AdamW(p, m, v, g, 3e-4).ToValueList());
    }

    static Function Forward(int rows, int width, Func<Node, Node> f)
    {
        var x = Nodes.Parameter(0, DType.Float32, [rows, width]);
        return WithWeights(x, f(x));
    }

    // Softmax's own gradient needs only the result, which a training step has kept.
    static Function Backward(int rows, int width, Func<Node, Node> f, bool fromResult = false)
    {
        Node x = Nodes.Parameter(0, DType.Float32, [rows, width]), dy = Nodes.Parameter(1, DType.Float32, [rows, width]);
        if (fromResult)
        {
            var dx = (dy - Nodes.Spread(Nodes.Sum(dy * x, 1), [1], x.Shape)) * x;
            return new([x, dy], [dx]);
        }
        var y = f(x);
        var weights = Weights(y);
        return WithWeights(x, Gradients.Of([y], [dy], [x, .. weights]), dy);
    }

    static Function CrossEntropy(int rows, int width, bool backward)
    {
        Node x = Nodes.Parameter(0, DType.Float32, [rows, width]), targets = Nodes.Parameter(1, DType.Int32, [rows]);
        var loss = Nodes.Sum(Node.Of(Op.CrossEntropy, [x, targets]), 0) * (1.0 / rows);
        return new([x, targets], backward ? [.. Gradients.Of([loss], [loss.Like(1)], [x])] : [loss]);
    }

    static Node Rms(Node x) =>
        Node.Of(Op.RmsNorm, [x, Nodes.Parameter(2, DType.Float32, [x.Shape[1]])], new NormAttributes(1e-6));

    static Node Layer(Node x) =>
        Node.Of(Op.LayerNorm,
            [x, Nodes.Parameter(2, DType.Float32, [x.Shape[1]]), Nodes.Parameter(3, DType.Float32, [x.Shape[1]])],
            new NormAttributes(1e-5));

    static Node[] Weights(Node y) =>
        [.. Traversal.PostOrder([y]).Where(node => node.Op == Op.Parameter && node.Get<ParameterAttributes>().Index >= 2)];

    static Function WithWeights(Node x, params Node[] results) => WithWeights(x, results, null);

    static Function WithWeights(Node x, Node[] results, Node? dy)
    {
        // Renumbered so that parameter i has index i.
        var used = Traversal.PostOrder(results).Where(node => node.Op == Op.Parameter)
            .OrderBy(node => node.Get<ParameterAttributes>().Index).ToList();
        if (!used.Contains(x)) used.Insert(0, x);
        if (dy is not null && !used.Contains(dy)) used.Insert(1, dy);
        var renamed = used.Select((node, i) => Nodes.Parameter(i, node.DType, node.Shape)).ToArray();
        var map = used.Zip(renamed).ToDictionary(pair => pair.First, pair => pair.Second);
        return new(renamed.ToValueList(), Traversal.Rewrite(results, map.GetValueOrDefault, map.ContainsKey).ToValueList());
    }
}
