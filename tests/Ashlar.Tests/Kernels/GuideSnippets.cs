using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Tests.Kernels;

/// <summary>The C# of docs/guides/write-a-kernel.md, compiled and run. What lies between "guide" and "end" is there word for word.</summary>
static class GuideSnippets
{
    // guide
    static readonly Kernel Add = Kernel.Define("vector_add", k =>
    {
        var (a, b) = (k.Input("a", "N"), k.Input("b", "N"));    // f32[N]; a call says how long N is
        var y = k.Output("y", "N");

        var n = k.Grid(("N", 1024));                            // everything below: once per 1024 elements, in parallel
        y[n] = a[n] + b[n];
    });
    // end

    public static void CallIt()
    {
        // guide
        Tensor x = Tensor.Random(seed: 1, 3000), z = Tensor.Random(seed: 2, 3000);
        Tensor sum = Add.Call(x, z);                            // lazy, like every tensor expression
        float[] data = (sum * 2).ToArray<float>();
        // end
        Assert.Equal((x.ToArray<float>()[7] + z.ToArray<float>()[7]) * 2, data[7]);
    }

    // guide
    static Kernel Power(int exponent) => Kernel.Define($"power_{exponent}", k =>
    {
        var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
        var n = k.Grid(("N", 1024));
        var power = k.Keep(x[n]);                               // a tile: computed now, once
        for (int i = 1; i < exponent; i++) power *= x[n];       // a loop of C#: unrolled while the kernel is traced
        y[n] = power;
    });
    // end

    // guide
    static readonly Kernel Total = Kernel.Define("total", k =>
    {
        var x = k.Input("x", "N");
        var total = k.Output("total");                          // one number
        k.Initialize(total, 0f);                                // what the additions begin with

        var n = k.Grid(("N", 4096));
        total.Add([], Sum(x[n]));                               // atomic: the tiles run at once
    });
    // end

    // guide
    static readonly Kernel Softmax = Kernel.Define("softmax", k =>
    {
        var x = k.Input("x", "M", "N");
        var y = k.Output("y", "M", "N");
        var m = k.Grid(("M", 8));                               // eight rows at a time
        var e = k.Keep(Exp(x[m, ..] - RowMax(x[m, ..]).Rows));  // [8, N]; .Rows: one value per row
        y[m, ..] = e / RowSum(e).Rows;
    });
    // end

    // guide
    sealed record ProductConfig(int Rows = 64, int Columns = 128, int Inner = 128, int Stages = 2);

    static Kernel Product(ProductConfig c, Func<KernelValue, KernelValue>? activation = null) => Kernel.Define("product", k =>
    {
        var (a, w, bias) = (k.Input("a", "M", "K"), k.Input("w", "N", "K"), k.Input("bias", "N"));
        var y = k.Output("y", "M", "N");

        var (m, n) = k.Grid(("M", c.Rows), ("N", c.Columns));
        var sums = k.Full(0f, m, n);                            // stays in registers, as far as they go
        foreach (var i in k.Pipeline(("K", c.Inner), c.Stages)) // a loop of the kernel: traced once
            sums += Dot(a[m, i], w[n, i].T);
        sums += bias[n];                                        // a vector lies along the columns
        y[m, n] = activation is null ? sums : activation(sums);
    });
    // end

    // guide
    static readonly Kernel Embed = Kernel.Define("embed", k =>
    {
        var ids = k.Input("ids", DType.Int32, "T");
        var table = k.Input("table", "V", "W");
        var y = k.Output("y", "T", "W");
        var t = k.Grid(("T", 16));
        y[t, ..] = table[ids[t], ..];                           // gather: positions that were computed are checked
    });

    static readonly Kernel Differences = Kernel.Define("differences", k =>
    {
        var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
        var n = k.Grid(("N", 1024));
        y[n] = x[n] - x.Load([n - 1], where: n >= 1);           // 0 where the condition fails; memory is not touched there
    });

    static readonly Kernel Band = Kernel.Define("band", k =>
    {
        var (x, y) = (k.Input("x", "M", "N"), k.Output("y", "M", "N"));
        var (m, n) = k.Grid(("M", 32), ("N", 128));
        var t = k.Load(x[m, n]);
        y[m, n] = k.Map(m, n, (i, j) => Select(Abs(m.Start + i - n.Start - j) <= 2, t[i, j], 0f));
    });
    // end

    // guide
    sealed record FlashConfig(int HeadWidth, bool Causal = true, int Queries = 64, int Keys = 64, int Stages = 2);

    // B batch and heads, T queries, S keys, D head width
    static Kernel Flash(FlashConfig c) => Kernel.Define("flash", k =>
    {
        var q = k.Input("q", "B", "T", c.HeadWidth);
        var (keys, values) = (k.Input("k", "B", "S", c.HeadWidth), k.Input("v", "B", "S", c.HeadWidth));
        var (output, lse) = (k.Output("o", "B", "T", c.HeadWidth), k.Output("lse", "B", "T"));
        float scale = 1 / MathF.Sqrt(c.HeadWidth);

        var (b, i) = k.Grid("B", ("T", c.Queries));
        var ahead = k.Size("S") - k.Size("T");
        var qi = k.Load(q[b, i, ..]);
        var o = k.Full(0f, i, c.HeadWidth);                     // unnormalised output
        var l = k.Full(0f, i);                                  // sum of e^(s - m)
        var m = k.Full(-1e30f, i);                              // greatest score so far

        foreach (var j in k.Pipeline(("S", c.Keys), c.Stages, until: c.Causal ? i.End + ahead : null))
        {
            var s = k.Keep(Dot(qi, keys[b, j, ..].T) * scale);
            if (c.Causal) s[..] = Select(j <= i.Rows + ahead, s, float.NegativeInfinity);

            var mNew = k.Keep(Max(m, RowMax(s)));
            var p = k.Keep(Exp(s - mNew.Rows));
            var shrink = k.Keep(Exp(m - mNew));
            l[..] = l * shrink + RowSum(p);
            o *= shrink.Rows;
            o += Dot(p, values[b, j, ..]);
            m[..] = mNew;
        }
        output[b, i, ..] = o / l.Rows;
        lse[b, i] = m + Log(l);
    });
    // end

    public static void GiveAGradient()
    {
        // guide
        Kernel cube = Power(3), square = Power(2);
        Tensor Cube(Tensor x) => Tensor.CustomGradient(
            forward: inputs => cube.Call(inputs[0]),
            backward: (dy, y, inputs) => [dy * 3 * square.Call(inputs[0])],
            inputs: [x]);

        Tensor x = Tensor.From([1f, 2f, 3f]);
        float[] slope = Cube(x).Sum().Gradient(x).ToArray<float>();   // 3, 12, 27
        // end
        Assert.Equal([3f, 12f, 27f], slope);
    }

    // guide
    static readonly KernelChoice Products = Kernel.Choose(
        from rows in (int[])[64, 32, 128] from columns in (int[])[128, 64, 256] select new ProductConfig(rows, columns), c => Product(c));

    static Tensor Linear(Tensor x, Tensor w, Tensor bias) => Products.Call(x, w, bias);
    // end

    public static void RunTheKernels()
    {
        Assert.Equal([2f, 3f], Linear(Tensor.Ones(1, 2), Tensor.Ones(2, 2), Tensor.From([0f, 1f])).ToArray<float>());
        foreach (int n in (int[])[17])
        {
            KernelRun.AssertSame(Add, (int[])[n], (int[])[n]);
            KernelRun.AssertSame(Power(3), (int[])[n]);
            KernelRun.AssertSame(Total, (int[])[n]);
            KernelRun.AssertSame(Softmax, (int[])[n, 19]);
            KernelRun.AssertSame(Embed, (int[])[n], (int[])[5, 7]);
            KernelRun.AssertSame(Differences, (int[])[n]);
            KernelRun.AssertSame(Band, (int[])[7, n]);
        }
        KernelRun.AssertSame(Product(new(Rows: 16, Columns: 16, Inner: 8), x => Max(x, 0)), (int[])[17, 9], (int[])[19, 9], (int[])[19]);
        KernelRun.AssertSame(Flash(new(HeadWidth: 8, Queries: 16, Keys: 16)), (int[])[2, 17, 8], (int[])[2, 17, 8], (int[])[2, 17, 8]);
    }
}
