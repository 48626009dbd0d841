using Ashlar.Graph;
using Ashlar.Runtime;

namespace Ashlar.Tests.Runtime;

public sealed class SymbolBindingTests
{
    static readonly Symbol B = new("B", 1, 1000);
    static readonly Symbol T = new("T", 2, 64, 2);

    static SymbolBinding Binding(params Shape[] shapes) =>
        new([.. shapes.Select((shape, i) => Nodes.Parameter(i, DType.Float32, shape))], [B, T]);

    [Fact]
    public void Bind_ReadsSymbols_AndChecksProducts()
    {
        var binding = Binding([B, T], [(Extent)B * T + 1]);
        binding.Bind([[3, 8], [25]]);
        Assert.Equal([3, 8], binding.Values.ToArray());
        Assert.Equal(27, binding.Evaluate((Extent)B * T + B));
        Assert.Contains("24 long instead of 25", Assert.Throws<ShapeException>(() => binding.Bind([[3, 8], [24]])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_Refuses_BrokenBoundsAndDisagreement()
    {
        var binding = Binding([B, T], [B]);
        Assert.Equal("ASH0110", Assert.Throws<ShapeException>(() => binding.Bind([[1001, 8], [1001]])).Code);
        Assert.Equal("ASH0110", Assert.Throws<ShapeException>(() => binding.Bind([[3, 7], [3]])).Code);
        Assert.Contains("'B' is 3", Assert.Throws<ShapeException>(() => binding.Bind([[3, 8], [4]])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Binding_Refuses_ASymbolThatNoAxisIs() =>
        Assert.Contains("'T'", Assert.Throws<GraphException>(() => Binding([B, (Extent)T + 1])).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Bind_AllocatesNothing()
    {
        var binding = Binding([B, T], [(Extent)B * T]);
        Shape[] shapes = [[3, 8], [24]];
        binding.Bind(shapes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) binding.Bind(shapes);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100);
    }
}
