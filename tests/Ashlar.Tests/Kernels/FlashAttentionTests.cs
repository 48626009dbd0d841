using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Graph;
using Ashlar.Kernels;
using Ashlar.Tests.Cpu;
using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Tests.Kernels;

public class FlashAttentionTests
{
    static readonly AttentionConfig plain = new(HeadWidth: 8, Group: 2, Causal: false, QueryTile: 16, KeyTile: 16);

    public static TheoryData<string> Cases => [.. configs.Keys];

    static readonly Dictionary<string, (AttentionConfig Config, int T, int S)> configs = new()
    {
        ["plain"] = (plain, 17, 33),
        ["gradient in parts"] = (plain with { Causal = true, BackwardParts = 3 }, 50, 75),
        ["more parts than keys"] = (plain with { BackwardParts = 4 }, 17, 33),
        ["causal"] = (plain with { Causal = true }, 35, 35),
        ["causal, keys before"] = (plain with { Causal = true }, 7, 40),
        ["causal, queries that see nothing"] = (plain with { Causal = true }, 40, 20),
        ["window"] = (plain with { Causal = true, Window = 9 }, 50, 50),
        ["window of one"] = (plain with { Causal = true, Window = 1 }, 20, 31),
        ["window without end"] = (plain with { Window = 20 }, 33, 33),
        ["steep: maxima that grow by little and by much"] = (plain with { Causal = true, Scale = 5 }, 33, 70),
        ["soft-cap"] = (plain with { Causal = true, SoftCap = 1.5f, Scale = 0.7f }, 33, 33),
        ["sinks"] = (plain with { Causal = true, Sinks = true }, 18, 33),
        ["lengths"] = (plain with { Lengths = true }, 33, 33),
        ["everything"] = (plain with
        {
            Causal = true,
            Window = 21,
            SoftCap = 2,
            Sinks = true,
            Lengths = true,
            Scale = 0.4f,
        }, 37, 49),
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Kernels_ComputeAttentionAndItsGradients(string name)
    {
        var (config, t, s) = configs[name];
        AssertAttention(new(config, B: 2, t, s, G: 1), 1e-4, interpreted: true);
    }

    // Several strips, packed operands, ragged edges: what the tile unit takes.
    [Theory]
    [InlineData(64, 300, 300, true)]
    [InlineData(40, 270, 290, false)]
    [InlineData(128, 129, 257, true)]
    public void Kernels_InBFloat16_ComputeAttentionAndItsGradients(int width, int t, int s, bool causal) =>
        AssertAttention(new(new(width, Group: 2, causal, DType: DType.BFloat16, QueryTile: 64, KeyTile: 64)
        {
            BackwardParts = 2
        }, B: 1, t, s, G: 1), 3e-2, interpreted: false);

    [Fact]
    public void Kernels_InBFloat16_TakeEveryFeature() =>
        AssertAttention(new(new(32, Group: 2, DType: DType.BFloat16, QueryTile: 64, KeyTile: 64)
        {
            Window = 100,
            SoftCap = 3,
            Sinks = true,
            Lengths = true
        }, B: 2, 300, 300, G: 1), 3e-2, interpreted: false);

    [Fact]
    public void Forward_IsShort()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Repository.Files.Root, "src/Ashlar.Kernels/FlashAttention.cs"));
        int begin = Array.FindIndex(lines, line => line.Contains("public static Kernel Forward", StringComparison.Ordinal));
        Assert.InRange(Array.FindIndex(lines, begin, line => line == "    });") - begin, 10, 80);
    }

    [Fact]
    public void Exp2_RoundedToBFloat16_IsNear()
    {
        var kernel = Kernel.Define("exp2_narrow", k =>
        {
            var (x, y) = (k.Input("x", "N"), k.Output("y", DType.BFloat16, "N"));
            var n = k.Grid(("N", 64));
            y[n] = Cast(Exp2(x[n]), DType.BFloat16);
        });
        double[] x = [.. Enumerable.Range(0, 8000).Select(i => Conversion.Round((i - 4000) / 32.0 + Math.Sin(i), DType.Float32)),
            double.NaN, double.NegativeInfinity, double.PositiveInfinity, 0, -0.0, 127.999, 128, -126, -127, -1e30, 1e30];
        var program = kernel.For(new NodeType(DType.Float32, (int[])[x.Length])).Program;
        foreach (var isa in Isa.Available)
        {
            double[][] arrays = [(double[])x.Clone(), new double[x.Length]];
            LoweringRun.Run(program, isa, arrays);
            for (int i = 0; i < x.Length; i++)
            {
                double exact = Math.Pow(2, x[i]), found = arrays[1][i];
                if (double.IsNaN(exact) || exact > 3.38e38)
                    Assert.Equal(double.IsNaN(exact) ? exact : double.PositiveInfinity, found);
                else Assert.True(Math.Abs(found - exact) <= Math.Max(0.53 * Math.Pow(2, Math.Floor(Math.Log2(exact)) - 7), 6e-39),
                    $"{isa.Name}: 2^{x[i]:R} is {exact:R}, not {found:R}");
            }
        }
    }

    [Theory]
    [InlineData(200, 40, 33)]
    [InlineData(130, 65, 64)]
    public void Dot_WithAnOperandThatComesBack_IsPackedOnce(int m, int n, int inner)
    {
        var kernel = Kernel.Define("dot_packed_once", k =>
        {
            var (a, b, c) =
                (k.Input("a", DType.BFloat16, "M", "K"), k.Input("b", DType.BFloat16, "N", "K"), k.Output("c", "M", "N"));
            var (d, e) = (k.Input("d", DType.BFloat16, "K", "N"), k.Output("e", "M", "N"));
            var (i, j) = k.Grid(("M", 32), ("N", 32));
            var (sums, others) = (k.Full(0f, i, j), k.Full(1f, i, j));
            sums += Dot(a[i, ..], b[j, ..].T);
            foreach (var part in k.Serial(("K", 32))) others += Dot(a[i, part], d[part, j]);
            c[i, j] = sums;
            e[i, j] = others;
        });
        KernelRun.AssertSame(kernel, (int[])[m, inner], (int[])[n, inner], (int[])[inner, n]);
        var lowered =
            TileLowering.Lower(kernel.For(new(DType.BFloat16, (int[])[m, inner]), new(DType.BFloat16, (int[])[n, inner]),
                new(DType.BFloat16, (int[])[inner, n])).Program, Isa.Avx512);
        bool hasTiles = MatrixUnit.PathOf(Isa.Avx512, DType.BFloat16, DType.BFloat16).Name == "amx";
        Assert.Equal(hasTiles ? 3 : 1, lowered.Phases.Count);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(16)]
    [InlineData(70)]
    public void Serial_BeginsAtTheTileOfAPosition(int n)
    {
        var kernel = Kernel.Define("from", k =>
        {
            var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
            var i = k.Grid(("N", 16));
            var sum = k.Full(0f);
            foreach (var j in k.Serial(("N", 8), until: i.End, from: i.Start - 20)) sum[..] = sum + Sum(x[j]);
            y[i] = x[i] + sum;
        });
        KernelRun.AssertSame(kernel, (int[])[n]);
    }

    // Rows whose factor is 1 are left out: the others, and NaN, must not be.
    [Fact]
    public void RowsInPlace_AreMultipliedWithTheirFactors()
    {
        var kernel = Kernel.Define("scaled_rows", k =>
        {
            var (x, factors, y) = (k.Input("x", "M", 40), k.Input("factors", "M"), k.Output("y", "M", 40));
            var i = k.Grid(("M", 8));
            var (tile, factor) = (k.Load(x[i, ..]), k.Load(factors[i]));
            tile *= factor.Rows;
            y[i, ..] = tile;
        });
        var program = kernel.For(new(DType.Float32, (int[])[11, 40]), new(DType.Float32, (int[])[11])).Program;
        double[] factors = [1, 2, 1, 0, double.NaN, 1, -1, 1, 0.5, 1, 3];
        foreach (var isa in Isa.Available)
        {
            double[][] arrays = [[.. Enumerable.Range(0, 440).Select(n => n - 200.0)], [.. factors], new double[440]];
            LoweringRun.Run(program, isa, arrays);
            for (int n = 0; n < 440; n++) Assert.Equal((n - 200.0) * factors[n / 40], arrays[2][n]);
        }
    }

    static void AssertAttention(AttentionReference reference, double tolerance, bool interpreted)
    {
        var c = reference.Config;
        var (b, t, s, h, g, d) = (reference.B, reference.T, reference.S, reference.H, reference.G, reference.D);
        double[] q = reference.Random(1, b, t, h, d), k = reference.Random(2, b, s, g, d), v = reference.Random(3, b, s, g, d),
            dy = reference.Random(4, b, t, h, d);
        double[]? sink = c.Sinks ? [.. Enumerable.Range(0, h).Select(head => (double)head - 0.5)] : null;
        int[]? lengths = c.Lengths ? [.. Enumerable.Range(0, b).Select(batch => s - 1 - 5 * batch)] : null;
        var (o, lse, dq, dk, dv, delta) = reference.Of(q, k, v, dy, sink, lengths);
        Shape queries = (int[])[b, t, h, d], keys = (int[])[b, s, g, d], rows = (int[])[b, h, t];
        NodeType ofQueries = new(c.DType, queries), ofKeys = new(c.DType, keys), ofRows = new(DType.Float32, rows);
        (NodeType, double[])[] length = lengths is null
            ? []
            : [(new(DType.Int32, (int[])[b]), [.. lengths.Select(value => (double)value)])];
        (NodeType, double[])[] sinks = sink is null ? [] : [(new(DType.Float32, (int[])[h]), sink)];
        (NodeType, double[])[] saved =
            [(ofQueries, q), (ofKeys, k), (ofKeys, v), (ofQueries, dy), (ofRows, lse), (ofRows, delta), .. length];

        Check(FlashAttention.Forward(c), [(ofQueries, q), (ofKeys, k), (ofKeys, v), .. sinks, .. length], [o, lse]);
        Check(FlashAttention.Delta(c), [(ofQueries, dy), (ofQueries, [.. o.Select(number => Conversion.Round(number, c.DType))])],
            [delta]);
        // The parts of dq by themselves are nothing that the definition knows, so another kernel sums them.
        Check(FlashAttention.Backward(c), saved, [dk, dv], new double[c.BackwardParts * dq.Length],
            (sums, run) => Check(FlashAttention.Queries(c),
                [(new(DType.Float32, (int[])[c.BackwardParts, b, h, t, d]), sums)], [dq], only: run));

        void Check(Kernel kernel, (NodeType Type, double[] Data)[] inputs, double[][] expected, double[]? last = null,
            Action<double[], string>? then = null, string? only = null)
        {
            var program = kernel.For([.. inputs.Select(input => input.Type)]).Program;
            double[][] Fresh() =>
                [.. inputs.Select(input => (double[])input.Data.Clone()), .. expected.Select(data => new double[data.Length]),
                    .. last is null ? [] : (double[][])[(double[])last.Clone()]];
            if (interpreted && only is null or "interpreter")
            {
                var arrays = Fresh();
                TileInterpreter.RunFresh(program,
                    [.. program.Buffers.Zip(arrays, (buffer, data) => new Value(data, buffer.Shape.Values))], roundFloats: true);
                Compare("interpreter", arrays);
            }
            foreach (var isa in Isa.Available.Where(isa => only is null || only == isa.Name))
            {
                var arrays = Fresh();
                LoweringRun.Run(program, isa, arrays, parts: 2);
                Compare(isa.Name, arrays);
            }

            void Compare(string where, double[][] arrays)
            {
                then?.Invoke(arrays[^1], where);
                for (int result = 0; result < expected.Length; result++)
                    for (int i = 0; i < expected[result].Length; i++)
                    {
                        double wanted = expected[result][i], found = arrays[inputs.Length + result][i];
                        Assert.True(wanted.Equals(found) || Math.Abs(wanted - found) <= tolerance * Math.Max(1, Math.Abs(wanted)),
                            $"{where} {kernel.Name}: element {i} of result {result} should be {wanted:R}, but is {found:R}");
                    }
            }
        }
    }
}
