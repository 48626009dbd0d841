using System.Runtime.CompilerServices;
using Ashlar.Graph;
using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Tests.Kernels;

/// <summary>Every mistake that the language knows, with its line.</summary>
public class KernelErrorTests
{
    // The error's message must name the line after the one that calls this, or that many lines further on.
    static void Fails(string code, int lines, Action<KernelBuilder> definition, string[] words, [CallerLineNumber] int line = 0)
    {
        var error = Assert.Throws<KernelException>(() => Kernel.Define("wrong", definition));
        Check(error, code, line + lines, words);
    }

    static void Check(KernelException error, string code, int line, string[] words)
    {
        Assert.True(code == error.Code, error.Message);
        Assert.Contains($"KernelErrorTests.cs:{line}", error.Message, StringComparison.Ordinal);
        foreach (string word in words) Assert.Contains(word, error.Message, StringComparison.Ordinal);
        Assert.Contains("Fix: ", error.Message, StringComparison.Ordinal);
    }

    static KernelException RunFails(Kernel kernel, params Shape[] shapes)
    {
        var traced = kernel.For([.. kernel.Symbolic.Inputs.Zip(shapes, (type, shape) => type with { Shape = shape })]);
        return Assert.Throws<KernelException>(() => traced.Evaluate([.. shapes.Select(shape => Value.Zeros(shape.Values))]));
    }

    static int Here([CallerLineNumber] int line = 0) => line;

    [Fact]
    public void Tile_ReadBeforeItIsWritten_IsFound()
    {
        int line = Here() + 6;
        Check(RunFails(Kernel.Define("wrong", k =>
        {
            var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
            var n = k.Grid(("N", 4));
            var t = k.Tile(n);
            y[n] = t + x[n];
        }), (int[])[5]), "ASH0532", line, ["t0: f32[4]", "element [0]"]);
    }

    [Fact]
    public void Output_ReadOrLeftUnwritten_IsFound()
    {
        Fails("ASH0580", 3, k =>
        {
            var y = k.Output("y", 4);
            y[..] = y[..] + 1;
        }, ["y: f32[4]"]);
        var error = RunFails(Kernel.Define("wrong", k =>
        {
            var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
            y[0] = x[0];
        }), (int[])[3]);
        Assert.Equal("ASH0583", error.Code);
        Assert.Contains("element 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Index_OutOfRange_IsFound()
    {
        Fails("ASH0585", 3, k =>
        {
            var (x, y) = (k.Input("x", 64), k.Output("y", 1));
            y[0] = x[70];
        }, ["x: f32[64]", "70"]);
        int line = Here() + 5;
        Check(RunFails(Kernel.Define("wrong", k =>
        {
            var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
            var n = k.Grid(("N", 4));
            y[n] = x[n + 1];
        }), (int[])[6]), "ASH0510", line, ["axis 0 of x: f32[6]", "index 6", "6 elements"]);
        Fails("ASH0582", 3, k =>
        {
            var x = k.Input("x", "M", "N");
            _ = x[k.Grid(("M", 4))];
        }, ["1 indices", "x: f32[M, N]"]);
        Fails("ASH0582", 4, k =>
        {
            var (x, y) = (k.Input("x", "M", "N"), k.Output("y", "M"));
            var n = k.Grid(("N", 4));
            y[n] = 1f;
        }, ["loop over N", "y: f32[M]"]);
        Fails("ASH0582", 3, k =>
        {
            var x = k.Input("x", "N");
            _ = x[1..];
        }, ["1.."]);
    }

    [Fact]
    public void Writes_ThatConflict_AreFound()
    {
        int line = Here() + 5;
        Check(RunFails(Kernel.Define("wrong", k =>
        {
            var (x, y) = (k.Input("x", "N"), k.Output("y", 1));
            var n = k.Grid(("N", 4));
            y[0] = Sum(x[n]);
        }), (int[])[9]), "ASH0533", line, ["y: f32[1]", "iteration"]);
    }

    [Fact]
    public void Tiles_ThatCannotFit_AreFound() => Fails("ASH0579", 4, k =>
    {
        var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
        _ = k.Tile(4);
        var t = k.Tile(4096, 1024);
        y[..] = x[..];
    }, ["f32[4096, 1024]", "16777216 bytes"]);

    [Fact]
    public void Dot_OfTypesAndShapesItLacks_IsFound()
    {
        Fails("ASH0575", 3, k =>
        {
            var x = k.Input("x", DType.Int32, 4, 4);
            _ = Dot(x[..], x[..]);
        }, ["i32 and i32", "bf16"]);
        Fails("ASH0576", 3, k =>
        {
            var x = k.Input("x", "M", "K");
            _ = Dot(x[..], x[..]);
        }, ["f32[M, K] by f32[M, K]"]);
        Fails("ASH0576", 4, k =>
        {
            var x = k.Input("x", DType.BFloat16, 4, 4);
            var t = k.Full(0f, DType.BFloat16, 4, 4);
            t += Dot(x[..], x[..]);
        }, ["sums are f32"]);
        Fails("ASH0576", 4, k =>
        {
            var x = k.Input("x", 4, 4);
            var t = k.Full(0f, 4, 5);
            t += Dot(x[..], x[..]);
        }, ["f32[4, 5]"]);
    }

    [Fact]
    public void Loops_ThatNeverEnd_AreFound() => Fails("ASH0577", 4, k =>
    {
        var t = k.Full(0f, 4);
        while (t.Rank == 1)
            t += 1f;
    }, ["k.Serial"]);

    [Fact]
    public void Loops_LeftByBreak_AreFound()
    {
        var error = Assert.Throws<KernelException>(() => Kernel.Define("wrong", k =>
        {
            var y = k.Output("y", 4);
            foreach (var i in k.Serial(4))
            {
                y[i] = 1f;
                if (k.Name.Length > 0) break;
            }
        }));
        Assert.Equal("ASH0580", error.Code);
    }

    [Fact]
    public void Types_ThatDoNotMix_AreFound()
    {
        Fails("ASH0574", 3, k =>
        {
            var (x, i) = (k.Input("x", 4), k.Input("i", DType.Int32, 4));
            _ = x[..] + i[..];
        }, ["f32[4] and i32[4]", "Cast"]);
        Fails("ASH0574", 3, k =>
        {
            var i = k.Input("i", DType.Int32, 4);
            _ = i[..] * 0.5f;
        }, ["i32[4]"]);
        Fails("ASH0574", 3, k =>
        {
            var (x, y) = (k.Input("x", 4), k.Output("y", DType.Int32, 4));
            y[..] = x[..];
        }, ["f32[4]", "y: i32[4]"]);
        Fails("ASH0574", 3, k =>
        {
            var i = k.Input("i", DType.Int32, 4);
            _ = Exp(i[..]);
        }, ["exp", "i32[4]"]);
        Fails("ASH0574", 3, k =>
        {
            var x = k.Input("x", 4);
            _ = Select(x[..], x[..], x[..]);
        }, ["Select"]);
    }

    [Fact]
    public void Shapes_ThatDoNotFit_AreFound()
    {
        Fails("ASH0573", 3, k =>
        {
            var (x, m) = (k.Input("x", "M", 8), k.Input("m", "M"));
            _ = x[..] - m[..];
        }, ["f32[M, 8] and f32[M]", ".Rows"]);
        Fails("ASH0573", 4, k =>
        {
            var x = k.Input("x", "N");
            var (n, t) = (k.Grid(("N", 4)), k.Tile(4));
            t[..] = x[n];
        }, ["f32[up to 4]", "k.Copy"]);
        Fails("ASH0587", 3, k =>
        {
            var x = k.Input("x", "N");
            _ = RowSum(x[..]);
        }, ["f32[N]", "two axes"]);
        Fails("ASH0572", 3, k =>
        {
            _ = k.Input("x", "N");
            _ = k.Output("y", "M");
        }, ["'M'", "known are N"]);
    }

    [Fact]
    public void Values_ThatWentStale_AreFound()
    {
        Fails("ASH0578", 5, k =>
        {
            var t = k.Full(1f, 4);
            var twice = t * 2;
            t += 1f;
            t[..] = twice;
        }, ["t0: f32[4]", "k.Keep"]);
        Fails("ASH0578", 7, k =>
        {
            var (t, u) = (k.Full(1f, 4), k.Full(1f, 4));
            var twice = t * 2;
            foreach (var i in k.Serial(3))
            {
                u += twice;
                t += 1f;
            }
        }, ["t0: f32[4]"]);
    }

    [Fact]
    public void Values_OfAnotherTrace_AreFound()
    {
        KernelTile? kept = null;
        Kernel.Define("first", k => kept = k.Full(1f, 4));
        Fails("ASH0581", 3, k =>
        {
            var t = k.Full(1f, 4);
            t += kept!;
        }, []);
    }

    [Fact]
    public void Inputs_AreNotWritten() => Fails("ASH0580", 3, k =>
    {
        var x = k.Input("x", 4);
        x[..] = 1f;
    }, ["x: f32[4]"]);

    [Fact]
    public void Statements_ThatReadWhatTheyWriteElsewhere_AreFound() => Fails("ASH0521", 3, k =>
    {
        var t = k.Full(1f, 4, 4);
        t[..] = t.T;
    }, ["t0"]);
}
