using Ashlar.Compiler;
using Ashlar.Tests.Graph;
using Ashlar.Tiles;

namespace Ashlar.Tests.Tiles;

/// <summary>What the compiler makes of random graphs, seen as tile programs.</summary>
public class CompiledKernelTests
{
    public static TheoryData<int, DType, bool> Graphs => new()
    {
        { 1, DType.Float32, false }, { 2, DType.Float32, true }, { 3, DType.BFloat16, false }, { 4, DType.Float64, true },
            { 5, DType.Float16, true },
    };

    static IEnumerable<TileProgram> Kernels(int seed, DType dtype, bool symbolic) =>
        from part in Enumerable.Range(0, 12)
        let function = new RandomGraphs(Nodes: 25, Float: dtype, Symbolic: symbolic).Make(seed * 100 + part)
        from level in (OptimizationLevel[])[OptimizationLevel.O0, OptimizationLevel.O2]
        from launch in Pipelines.Compile(function, level).Launches
        select launch.Kernel.Program;

    [Theory]
    [MemberData(nameof(Graphs))]
    public void Kernels_AreWellFormed(int seed, DType dtype, bool symbolic)
    {
        foreach (var kernel in Kernels(seed, dtype, symbolic)) TileVerifier.Check(kernel);
    }

    [Theory]
    [MemberData(nameof(Graphs))]
    public void Kernels_AreReadBack(int seed, DType dtype, bool symbolic)
    {
        foreach (var kernel in Kernels(seed, dtype, symbolic))
        {
            string text = TileText.Print(kernel);
            Assert.Equal(text, TileText.Print(TileText.Parse(text)));
        }
    }

    // The kernel cache relies on it: variables and tiles are new objects each time.
    [Theory]
    [MemberData(nameof(Graphs))]
    public void Kernels_HaveEqualKeys_WhenCompiledAgain(int seed, DType dtype, bool symbolic) =>
        Assert.Equal(Kernels(seed, dtype, symbolic).Select(TileText.Key), Kernels(seed, dtype, symbolic).Select(TileText.Key));
}
