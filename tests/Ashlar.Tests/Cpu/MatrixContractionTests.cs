using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;

namespace Ashlar.Tests.Cpu;

/// <summary>The engine of the tile unit against a triple loop in double precision.</summary>
/// <remarks>Operands hold small whole numbers, so that every sum is exact in every type and equality is the tolerance.</remarks>
public unsafe class MatrixContractionTests
{
    static readonly long[] edges = [1, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129];

    public static TheoryData<DType, DType> Types => new()
    {
        { DType.BFloat16, DType.BFloat16 },
        { DType.Int8, DType.Int8 },
        { DType.Int8, DType.UInt8 },
        { DType.UInt8, DType.Int8 },
        { DType.UInt8, DType.UInt8 },
    };

    static ContractionRun Engine(int threads = 1) => new(Isa.Avx512.Name, threads, onTiles: true);

    static Product Of(DType left, DType right, long rows, long columns, long inner) => new(rows, columns, inner)
    {
        LeftType = left,
        RightType = right,
    };

    static Product BF16(long rows, long columns, long inner) => Of(DType.BFloat16, DType.BFloat16, rows, columns, inner);

    [TileTheory, MemberData(nameof(Types))]
    public void Product_IsExact_AroundEveryTileEdge(DType left, DType right)
    {
        using var run = Engine();
        for (int i = 0; i < edges.Length; i++)
        {
            run.Check(Of(left, right, edges[i], edges[(i + 5) % edges.Length], edges[(i + 11) % edges.Length]));
            run.Check(Of(left, right, edges[(i + 7) % edges.Length], edges[i], edges[(i + 2) % edges.Length]));
        }
    }

    [TileTheory, MemberData(nameof(Types))]
    public void Product_IsExact_ForEveryLayout(DType left, DType right)
    {
        using var run = Engine(2);
        foreach (var leftOrder in Enum.GetValues<Order>())
            foreach (var rightOrder in Enum.GetValues<Order>())
                foreach (var result in new[] { leftOrder, rightOrder }.Distinct())
                    run.Check(Of(left, right, 35, 50, 71) with
                    {
                        LeftOrder = leftOrder,
                        RightOrder = rightOrder,
                        ResultOrder = result,
                    });
    }

    [TileFact]
    public void Product_IsExact_WhenAllWorkersPackTheLeftOperandTogether()
    {
        using var run = Engine(3);
        foreach (var order in new[] { Order.Columns, Order.Sparse })
            run.Check(BF16(290, 600, 70) with { LeftOrder = order });
        run.Check(BF16(290, 600, 1030) with { LeftOrder = Order.Columns });
        run.Check(Of(DType.Int8, DType.Int8, 290, 600, 70) with { LeftOrder = Order.Columns });
        run.Check(BF16(270, 530, 40) with { HasFunctions = true, Batch = 2 });
        run.Check(Of(DType.Float32, DType.Float32, 270, 530, 40) with { LeftOrder = Order.Columns, ResultType = DType.Float32 });
    }

    [TileTheory, InlineData(1), InlineData(2), InlineData(3)]
    public void Product_IsExact_OnAnyNumberOfThreads(int threads)
    {
        using var run = Engine(threads);
        run.Check(BF16(129, 130, 131));
        run.Check(BF16(300, 95, 700));
        run.Check(BF16(33, 700, 300));
        run.Check(BF16(300, 17, 33) with { Batch = 5 });
    }

    [TileFact]
    public void Product_IsExact_OverSeveralInnerBlocks()
    {
        using var run = Engine(2);
        foreach (var order in new[] { Order.Rows, Order.Columns, Order.Sparse })
            foreach (long rows in new long[] { 1, 16, 40, 290 })
                run.Check(BF16(rows, 53, 2501) with { LeftOrder = order, RightOrder = order });
        run.Check(Of(DType.Int8, DType.Int8, 290, 53, 5003));
    }

    [TileFact]
    public void Product_IsExact_OverSeveralItems()
    {
        using var run = Engine(2);
        run.Check(BF16(700, 600, 65));
        run.Check(BF16(620, 560, 1100));
        run.Check(BF16(100, 1500, 70));
        run.Check(BF16(620, 1100, 40) with { ResultOrder = Order.SparseRows, Accumulate = true });
    }

    [TileFact]
    public void Product_Adds_WhenAccumulating()
    {
        using var run = Engine(2);
        foreach (var order in new[] { Order.Rows, Order.Columns })
        {
            run.Check(BF16(33, 49, 20) with { Accumulate = true, ResultOrder = order });
            run.Check(BF16(33, 49, 2300) with { Accumulate = true, ResultOrder = order });
        }
        run.Check(BF16(33, 49, 0) with { Accumulate = true });
    }

    [TileFact]
    public void Product_OfNothing_IsZeros()
    {
        using var run = Engine();
        run.Check(BF16(50, 40, 0));
        run.Check(BF16(0, 40, 3));
        run.Check(BF16(5, 0, 3));
    }

    [TileFact]
    public void Product_GoesThroughTheBatch()
    {
        using var run = Engine(3);
        run.Check(BF16(17, 48, 19) with { Batch = 7 });
        run.Check(BF16(64, 64, 64) with { Batch = 5, RightOrder = Order.Columns });
        run.Check(BF16(300, 64, 64) with { Batch = 4, SharesRight = true });
    }

    [TileFact]
    public void Product_RoundsTheResult_WhenItIsBFloat16()
    {
        using var run = Engine(2);
        foreach (var order in Enum.GetValues<Order>()) run.Check(BF16(47, 75, 700) with
        {
            ResultType = DType.BFloat16,
            ResultOrder = order,
        });
    }

    [TileFact]
    public void Product_RoundsOperandsOfFloat32()
    {
        using var run = Engine(2);
        foreach (var order in Enum.GetValues<Order>())
        {
            run.Check(Of(DType.Float32, DType.BFloat16, 47, 75, 90) with { LeftOrder = order });
            run.Check(Of(DType.BFloat16, DType.Float32, 47, 75, 90) with { RightOrder = order });
        }
    }

    [TileTheory, MemberData(nameof(Types))]
    public void Functions_FillOperandsAndTakeSums(DType left, DType right)
    {
        using var run = Engine(2);
        foreach (long inner in new long[] { 3, 40, 2300 })
        {
            run.Check(Of(left, right, 47, 65, inner) with { HasEpilogue = true, ResultType = DType.Float32 });
            run.Check(Of(left, right, 300, 65, inner) with { HasFunctions = true });
            run.Check(Of(left, right, 100, 50, inner) with
            {
                HasFunctions = true,
                HasEpilogue = true,
                ResultType = DType.Float32,
                Batch = 3,
            });
        }
    }

    [TileTheory, MemberData(nameof(Types))]
    public void Product_IsExact_WhenTheRightOperandIsPacked(DType left, DType right)
    {
        using var run = Engine(2);
        foreach (long rows in new long[] { 1, 17, 130, 400 })
            foreach (long inner in new long[] { 5, 65, 4300 })
                run.Check(Of(left, right, rows, 90, inner) with { PacksRight = true });
        foreach (var order in Enum.GetValues<Order>()) run.Check(Of(left, right, 40, 50, 70) with
        {
            PacksRight = true,
            RightOrder = order,
            Batch = 3,
        });
        run.Check(Of(left, right, 40, 50, 70) with { PacksRight = true, SharesRight = true, Batch = 3 });
    }

    [TileFact]
    public void Run_AllocatesNothing_OnceAssembled()
    {
        using var run = Engine(2);
        var product = BF16(200, 200, 200);
        run.Check(product);
        Assert.Equal(0, run.AllocatedBy(product));
    }

    [TileFact]
    public void Round_IsToNearestEven_AndKeepsNaN()
    {
        float[] values =
            [0, -0f, 1, 1.00390625f, 1.01171875f, -3.14159f, 3.4e38f, float.PositiveInfinity, float.NegativeInfinity, float.NaN,
            BitConverter.UInt32BitsToSingle(0x7f800001), 1e-40f, .. Enumerable.Range(0, 100)
                .Select(i => MathF.Sin(i) * MathF.Pow(10, i % 60 - 30))];
        var rounded = new ushort[values.Length];
        fixed (float* from = values)
        fixed (ushort* to = rounded) TilePacking.Round(from, to, values.Length);
        for (int i = 0; i < values.Length; i++) Assert.Equal(((BFloat16)values[i]).Bits, rounded[i]);
    }
}
