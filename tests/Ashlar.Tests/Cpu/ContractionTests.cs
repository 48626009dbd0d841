using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Contractions;

namespace Ashlar.Tests.Cpu;

/// <summary>The contraction engine against a triple loop in double precision, on every path of this machine.</summary>
/// <remarks>Operands hold small whole numbers, so that every sum is exact in every type and equality is the tolerance.</remarks>
public unsafe class ContractionTests
{
    static readonly long[] edges = [1, 7, 8, 9, 13, 14, 15, 16, 17, 31, 32, 33, 47, 48, 49, 127, 128, 129];

    public static TheoryData<string> Paths => VecRun.Paths;

    public static TheoryData<string, int> PathsAndThreads
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var isa in Isa.Available)
                foreach (int threads in new[] { 1, 2, 3 }) data.Add(isa.Name, threads);
            return data;
        }
    }

    [Theory, MemberData(nameof(Paths))]
    public void Product_IsExact_AroundEveryTileEdge(string path)
    {
        using var run = new ContractionRun(path);
        for (int i = 0; i < edges.Length; i++)
        {
            run.Check(new(edges[i], edges[(i + 5) % edges.Length], edges[(i + 11) % edges.Length]));
            run.Check(new(edges[(i + 7) % edges.Length], edges[i], edges[(i + 2) % edges.Length]));
        }
    }

    [Theory, MemberData(nameof(PathsAndThreads))]
    public void Product_IsExact_OnAnyNumberOfThreads(string path, int threads)
    {
        using var run = new ContractionRun(path, threads);
        run.Check(new(129, 130, 131));
        run.Check(new(257, 95, 700));
        run.Check(new(300, 17, 33));
    }

    [Theory, MemberData(nameof(Paths))]
    public void Product_IsExact_ForEveryLayout(string path)
    {
        using var run = new ContractionRun(path, 2);
        foreach (var left in Enum.GetValues<Order>())
            foreach (var right in Enum.GetValues<Order>())
                foreach (var result in new[] { Order.Rows, Order.Columns, Order.SparseRows, Order.Sparse })
                    run.Check(new(35, 50, 37) { LeftOrder = left, RightOrder = right, ResultOrder = result });
    }

    [Theory, MemberData(nameof(Paths))]
    public void Product_IsExact_OverSeveralInnerBlocks(string path)
    {
        using var run = new ContractionRun(path, 2);
        foreach (var right in new[] { Order.Rows, Order.Columns })
            foreach (var result in new[] { Order.Rows, Order.Columns })
                run.Check(new(61, 53, 1501) { RightOrder = right, ResultOrder = result });
    }

    [Theory, MemberData(nameof(Paths))]
    public void Product_Adds_WhenAccumulating(string path)
    {
        using var run = new ContractionRun(path, 2);
        run.Check(new(33, 49, 20) { Accumulate = true });
        run.Check(new(33, 49, 1300) { Accumulate = true });
        run.Check(new(33, 49, 20) { Accumulate = true, ResultOrder = Order.Columns });
        run.Check(new(33, 49, 0) { Accumulate = true });
    }

    [Theory, MemberData(nameof(Paths))]
    public void Product_OfNothing_IsZeros(string path)
    {
        using var run = new ContractionRun(path);
        run.Check(new(5, 40, 0));
        run.Check(new(0, 40, 3));
        run.Check(new(5, 0, 3));
    }

    [Theory, MemberData(nameof(Paths))]
    public void Product_GoesThroughTheBatch(string path)
    {
        using var run = new ContractionRun(path, 3);
        run.Check(new(17, 48, 19) { Batch = 7 });
        run.Check(new(64, 64, 64) { Batch = 5, RightOrder = Order.Columns });
        run.Check(new(64, 64, 64) { Batch = 4, SharesRight = true });
    }

    [Theory, MemberData(nameof(Paths))]
    public void Product_IsExact_WhenTheRightOperandIsStreamed(string path)
    {
        using var run = new ContractionRun(path, 2);
        long inner = 700, columns = Processor.Current.L2Bytes / 4 / inner + 100;
        foreach (long rows in new long[] { 1, 9, 11, 23, 40 }) run.Check(new(rows, columns, inner));
    }

    [Theory, MemberData(nameof(Paths))]
    public void Product_Widens_SmallTypes(string path)
    {
        using var run = new ContractionRun(path, 2);
        foreach (var type in new[] { DType.BFloat16, DType.Float16, DType.Int8, DType.UInt8, DType.Int16, DType.Int32,
            DType.Int64, DType.Float64 })
            foreach (var order in new[] { Order.Rows, Order.Columns })
            {
                run.Check(new(19, 50, 37) { LeftType = type, RightType = type, LeftOrder = order, RightOrder = order });
                run.Check(new(19, 50, 37) { LeftType = type, RightType = type.Compute, LeftOrder = order, RightOrder = order });
            }
        run.Check(new(40, 70, 700) { LeftType = DType.Float64, RightType = DType.Float64 });
    }

    [Theory, MemberData(nameof(Paths))]
    public void Functions_FillOperandsAndTakeSums(string path)
    {
        using var run = new ContractionRun(path, 2);
        foreach (long inner in new long[] { 3, 40, 1300 })
        {
            run.Check(new(47, 65, inner) { HasEpilogue = true });
            run.Check(new(47, 65, inner) { HasFunctions = true });
            run.Check(new(100, 50, inner) { HasFunctions = true, HasEpilogue = true, Batch = 3 });
        }
    }

    [Fact]
    public void Run_AllocatesNothing_OnceCompiled()
    {
        using var run = new ContractionRun(Isa.Available[0].Name, 2);
        var product = new Product(100, 100, 100);
        run.Check(product);
        Assert.Equal(0, run.AllocatedBy(product));
    }

    [Fact]
    public void Contraction_RefusesTypesItCannotMultiply()
    {
        var error = Assert.Throws<DTypeException>(() => new Contraction(Isa.Portable, DType.BFloat16));
        Assert.Contains("bf16", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(512, 512, 512, 2)]
    [InlineData(2048, 2048, 2048, 2)]
    [InlineData(32, 4096, 4096, 2)]
    [InlineData(4096, 96, 64, 3)]
    public void Blocking_GivesEveryThreadAShare(long rows, long columns, long inner, int threads)
    {
        var blocking =
            Blocking.Choose(new(Isa.Available[0], 4, threads, OperandAccess.InPlace, columns * 4, OperandAccess.InPlace,
                inner * 4, false), 1, rows, columns, inner);
        Assert.Equal(threads, blocking.Workers);
        Assert.True(blocking.RowBlocks * blocking.ColumnBlocks >= threads);
        Assert.True(blocking.Inner * blocking.InnerBlocks >= inner);
    }
}
