using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Programs;
using Ashlar.Compiler;
using Ashlar.Graph;
using Ashlar.Runtime;
using Ashlar.Tests.Cpu;

namespace Ashlar.Tests.Compiler;

/// <summary>Functions with products of bfloat16 and of bytes: on tiles and on vectors, against the interpreter.</summary>
public class MatrixProgramTests
{
    const double Rounding = 1.0 / 64;      // two roundings to 8 bits, of sums of a few dozen

    sealed record Case(Func<Function> Function, double Tolerance, params TileProduct?[] Products);

    static readonly Dictionary<string, Case> cases = new()
    {
        ["bf16"] = new(() => { Node a = B(0, 65, 71), b = B(1, 71, 33); return Programs.F([a, b], Nodes.MatMul(a, b)); },
            Rounding, TileProduct.BF16),
        ["bf16 transposed"] = new(() =>
        {
            Node x = B(0, 17, 300), w = B(1, 33, 300);
            return Programs.F([x, w], Nodes.Contract(x, w, [], [], [1], [1]));
        }, Rounding, TileProduct.BF16),
        ["bf16 both transposed"] = new(() =>
        {
            Node x = B(0, 90, 40), w = B(1, 33, 90);
            return Programs.F([x, w], Nodes.Contract(x, w, [], [], [0], [1]));
        }, Rounding, TileProduct.BF16),
        ["bf16 batched"] = new(() =>
        {
            Node x = B(0, 3, 20, 31), w = B(1, 3, 31, 40);
            return Programs.F([x, w], Nodes.Contract(x, w, [0], [0], [2], [1]));
        }, Rounding, TileProduct.BF16),
        ["bf16 with sums of float32"] = new(() =>
        {
            Node a = B(0, 20, 64), b = B(1, 64, 20);
            return Programs.F([a, b], Nodes.MatMul(Nodes.Cast(a, DType.Float32), Nodes.Cast(b, DType.Float32)));
        }, 1e-4, TileProduct.BF16),
        ["float32 rounded"] = new(() =>
        {
            Node a = Programs.P(0, 50, 64), b = Programs.P(1, 64, 33);
            return Programs.F([a, b], Nodes.Cast(Nodes.MatMul(Nodes.Cast(a, DType.BFloat16), Nodes.Cast(b, DType.BFloat16)),
                DType.Float32));
        }, Rounding, TileProduct.BF16),
        ["norm, product, bias, activation, residual"] = new(() =>
        {
            Node x = B(0, 40, 48), g = B(1, 48), w = B(2, 48, 33), c = B(3, 33), r = B(4, 40, 33);
            var y = Nodes.MatMul(Nodes.Unary(Op.Sigmoid, x) * Programs.S(g, x), w);
            return Programs.F([x, g, w, c, r], Node.Of(Op.Gelu, [y + Programs.S(c, y)], new GeluAttributes(true)) + r);
        }, 2 * Rounding, TileProduct.BF16),
        ["float32 stays"] =
            new(() =>
            {
                Node a = Programs.P(0, 20, 64), b =
                Programs.P(1, 64, 20); return Programs.F([a, b], Nodes.MatMul(a, b));
            }, 2e-5, (TileProduct?)null),
        ["bf16 by float32 stays"] = new(() =>
        {
            Node a = B(0, 20, 64), b = Programs.P(1, 64, 20);
            return Programs.F([a, b], Nodes.MatMul(Nodes.Cast(a, DType.Float32), b));
        }, 2e-5, (TileProduct?)null),
        ["int8"] = new(() =>
        {
            Node a = Nodes.Parameter(0, DType.Int8, [35, 130]), b = Nodes.Parameter(1, DType.Int8, [130, 50]);
            return Programs.F([a, b], Nodes.MatMul(Nodes.Cast(a, DType.Int32), Nodes.Cast(b, DType.Int32)));
        }, 0, TileProduct.SignedSigned),
        ["int8 with many rows"] = new(() =>
        {
            Node a = Nodes.Parameter(0, DType.Int8, [4200, 9]), b = Nodes.Parameter(1, DType.Int8, [9, 5]);
            return Programs.F([a, b], Nodes.MatMul(Nodes.Cast(a, DType.Int32), Nodes.Cast(b, DType.Int32)));
        }, 0, TileProduct.SignedSigned),
        ["uint8 by int8"] = new(() =>
        {
            Node a = Nodes.Parameter(0, DType.UInt8, [35, 130]), b = Nodes.Parameter(1, DType.Int8, [50, 130]);
            return Programs.F([a, b], Nodes.Contract(Nodes.Cast(a, DType.Int32), Nodes.Cast(b, DType.Int32), [], [], [1], [1]));
        }, 0, TileProduct.UnsignedSigned),
        ["int8 with scales"] = new(() =>
        {
            Node a = Nodes.Parameter(0, DType.Int8, [35, 60]), b = Nodes.Parameter(1, DType.Int8, [60, 50]),
                s = Programs.P(2, 50);
            var y = Nodes.Cast(Nodes.MatMul(Nodes.Cast(a, DType.Int32), Nodes.Cast(b, DType.Int32)), DType.Float32);
            return Programs.F([a, b, s], y * Programs.S(s, y));
        }, 1e-5, TileProduct.SignedSigned),
    };

    public static TheoryData<string, bool> Cases
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (string name in cases.Keys)
            {
                data.Add(name, true);
                data.Add(name, false);
            }
            return data;
        }
    }

    static Node B(int index, params int[] shape) => Nodes.Parameter(index, DType.BFloat16, shape);

    [TileTheory, MemberData(nameof(Cases))]
    public void Program_MatchesInterpreter_OnTilesAndOnVectors(string name, bool usesTiles)
    {
        var (make, tolerance, _) = (cases[name].Function, cases[name].Tolerance, 0);
        var function = make();
        var arguments = Programs.Arguments(function, seed: 5);
        var expected = Interpreter.Run(function, arguments, Programs.Symbols);
        using var workers = new Workers(2);
        var actual =
            CpuProgramTests.Run(new CpuBackend(Isa.Avx512, workers, usesTiles), function, arguments, OptimizationLevel.O2);
        for (int i = 0; i < expected.Length; i++) Programs.AssertClose(expected[i], actual[i], tolerance, $"{name} result {i}");
    }

    [TileFact]
    public void Kernel_TakesTiles_WhereTheTypesAllow()
    {
        foreach (var (name, it) in cases)
        {
            var forms = Pipelines.Compile(it.Function(), OptimizationLevel.O2, null, (_, _) => { }).Launches.Select(launch =>
                launch.Kernel).Where(kernel => kernel.Form is not null);
            Assert.True(it.Products.SequenceEqual(forms.Select(kernel => new ContractionKernel(kernel, Isa.Avx512).Tiles)), name);
        }
    }

    [Fact]
    public void Kernel_StaysOnVectors_WhenThePathPacksNoTiles()
    {
        var kernel = Pipelines.Compile(cases["bf16"].Function(), OptimizationLevel.O2, null, (_, _) =>
            { }).Launches.Single(launch => launch.Kernel.Form is not null).Kernel;
        Assert.Null(new ContractionKernel(kernel, Isa.Portable).Tiles);
        Assert.Contains("portable", MatrixUnit.PathOf(Isa.Portable, DType.BFloat16, DType.BFloat16).Why,
            StringComparison.Ordinal);
        Assert.Equal("portable", MatrixUnit.PathOf(Isa.Portable, DType.Int8, DType.Int8).Name);
    }

    [Fact]
    public void MatrixUnit_ReadsOnAndOff_AndNothingElse()
    {
        Assert.Null(MatrixUnit.Asked(null));
        Assert.True(MatrixUnit.Asked("ON"));
        Assert.False(MatrixUnit.Asked("off"));
        var error = Assert.Throws<DeviceException>(() => MatrixUnit.Asked("1"));
        Assert.Equal("ASH0621", error.Code);
    }
}
