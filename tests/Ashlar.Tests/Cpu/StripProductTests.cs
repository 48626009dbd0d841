using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

/// <summary>Products large enough to go by strips, against a triple loop in double precision; equality is the
/// tolerance.</summary>
public sealed class StripProductTests
{
    static ContractionRun Engine(int threads = 2) => new(Isa.Avx512.Name, threads, onTiles: true);

    static Product Of(DType left, DType right, long rows, long columns, long inner) => new(rows, columns, inner)
    {
        LeftType = left,
        RightType = right,
    };

    static Product BF16(long rows, long columns, long inner) => Of(DType.BFloat16, DType.BFloat16, rows, columns, inner);

    [TileTheory, InlineData(1), InlineData(2), InlineData(3)]
    public void Strips_AreExact_OnRaggedEdges(int threads)
    {
        using var run = Engine(threads);
        foreach (var (rows, columns, inner) in (ReadOnlySpan<(long, long, long)>)[(33, 2000, 131), (512, 257, 65), (513, 300, 70),
            (529, 33, 545), (1041, 95, 97)])
            run.Check(BF16(rows, columns, inner));
        run.Check(Of(DType.Int8, DType.UInt8, 530, 161, 1101));
    }

    [TileFact]
    public void Strips_AreExact_ForEveryLayout()
    {
        using var run = Engine();
        foreach (var left in Enum.GetValues<Order>())
            foreach (var right in Enum.GetValues<Order>())
                run.Check(BF16(left == right ? 545 : 145, 481, 130) with
                {
                    LeftOrder = left,
                    RightOrder = right,
                    ResultOrder = right,
                });
        run.Check(Of(DType.Float32, DType.BFloat16, 145, 481, 135));
        run.Check(Of(DType.BFloat16, DType.Float32, 545, 481, 135));
    }

    [TileFact]
    public void Strips_AreExact_WhenTheLeftOperandDoesNotStayInTheCache()
    {
        using var run = Engine();
        run.Check(BF16(500, 300, 1400));
        run.Check(BF16(500, 300, 1400) with { PacksRight = true });
        run.Check(BF16(500, 300, 1400) with { HasEpilogue = true });
    }

    [TileFact]
    public void Strips_AreExact_WhenResultsAreStoredPastTheCaches()
    {
        using var run = Engine();
        run.Check(BF16(601, 1024, 33) with { PacksRight = true });
        run.Check(BF16(601, 1008, 33) with { PacksRight = true });
        run.Check(BF16(1201, 1024, 33) with { ResultType = DType.BFloat16 });
        run.Check(Of(DType.Int8, DType.Int8, 601, 1024, 33) with { PacksRight = true });
    }

    [TileFact]
    public void Strips_AreExact_WhenRowsOfSeveralPanelsAreStoredTogether()
    {
        using var run = Engine();
        run.Check(BF16(500, 1168, 33));
        run.Check(BF16(500, 1168, 33) with { Accumulate = true });
        run.Check(BF16(511, 2080, 33) with { ResultType = DType.BFloat16 });
        run.Check(Of(DType.Int8, DType.Int8, 500, 1168, 66));
    }

    [TileFact]
    public void Strips_TakePackedOperands_WithAnyNumberOfRows()
    {
        using var run = Engine(3);
        foreach (long rows in (long[])[1, 15, 16, 17, 32, 33, 48, 49, 512, 513, 528, 529]) run.Check(BF16(rows, 97, 300) with
        {
            PacksRight = true,
        });
        foreach (var order in Enum.GetValues<Order>()) run.Check(BF16(529, 97, 70) with { PacksRight = true, LeftOrder = order });
        run.Check(BF16(70, 97, 1300) with { PacksRight = true, Batch = 3 });
        run.Check(Of(DType.Float32, DType.BFloat16, 70, 97, 77) with { PacksRight = true });
    }

    [TileFact]
    public void Strips_AddAndHandOnSums()
    {
        using var run = Engine();
        run.Check(BF16(530, 230, 75) with { Accumulate = true });
        run.Check(BF16(530, 230, 75) with { HasEpilogue = true, HasFunctions = true });
        run.Check(BF16(130, 630, 1100) with { HasEpilogue = true });
        run.Check(BF16(300, 630, 75) with { ResultOrder = Order.Sparse, Accumulate = true });
    }
}
