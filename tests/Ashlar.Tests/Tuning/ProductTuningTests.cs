using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Runtime.Tuning;
using Ashlar.Tests.Cpu;

namespace Ashlar.Tests.Tuning;

public class ProductTuningTests
{
    // Rates of no machine in particular: what the model makes of them is looked at, not how right it is.
    static readonly DeviceProfile profile = new("test", TuningEntry.CurrentVersion, 2, "", new Dictionary<string, double>
    {
        ["fma.f32@1"] = 200,
        ["amx.bf16@1"] = 3000,
        ["amx.int8@1"] = 6000,
        ["read.l1@1"] = 400,
        ["read.l2@1"] = 170,
        ["read.l3@all"] = 50,
        ["read@all"] = 30,
    });

    static ProductTuning Tune(TunableProduct product, int threads = 2, Func<string, bool>? corrupt = null)
    {
        using var workers = new Workers(threads);
        return ProductTuner.Tune(product, Isa.Chosen, workers, all: false, profile, corrupt, default);
    }

    [Theory, InlineData(false, false), InlineData(false, true), InlineData(true, false)]
    public void Tuning_RanksConfigsOfFloat32(bool leftByColumns, bool rightByColumns)
    {
        var tuning = Tune(new(DType.Float32, 200, 300, 700, leftByColumns, rightByColumns));
        Assert.InRange(tuning.Candidates.Count, 2, ProductTuner.MostCandidates + 1);
        Assert.DoesNotContain(tuning.Candidates, candidate => candidate.IsWrong);
        Assert.Equal(tuning.Candidates.Where(candidate => candidate.IsFinalist).Max(candidate => candidate.Gain),
            tuning.Best.Gain);
        Assert.Single(tuning.Candidates, candidate => candidate.IsDefault);
        Assert.InRange(tuning.RankCorrelation, -1, 1);
        Assert.Equal("matmul.f32", tuning.Kernel);
    }

    [TileTheory]
    [InlineData(DType.BFloat16, false, false)]
    [InlineData(DType.BFloat16, true, false)]
    [InlineData(DType.BFloat16, false, true)]
    [InlineData(DType.Int8, false, false)]
    public void Tuning_RanksConfigsOfTheTileUnit(DType dtype, bool rightByColumns, bool packed)
    {
        var tuning = Tune(new(dtype, 200, 150, 700, RightByColumns: rightByColumns, RightIsPacked: packed));
        Assert.InRange(tuning.Candidates.Count, 2, ProductTuner.MostCandidates + 1);
        Assert.DoesNotContain(tuning.Candidates, candidate => candidate.IsWrong);
        Assert.NotNull(TileConfig.Parse(tuning.Best.Config));
        Assert.InRange(tuning.Candidates.Count, 2, ProductTuner.MostCandidates);
        Assert.Single(tuning.Candidates, candidate => candidate.IsDefault);
    }

    [Fact]
    public void Tuning_RejectsWhatIsWrong()
    {
        var right = Tune(new(DType.Float32, 64, 96, 300));
        string usual = right.Default.Config;
        var tuning = Tune(new(DType.Float32, 64, 96, 300), corrupt: config => config != usual);
        Assert.Equal(usual, tuning.Best.Config);
        Assert.All(tuning.Candidates.Where(candidate => !candidate.IsDefault), candidate =>
        {
            Assert.True(candidate.IsWrong);
            Assert.Null(candidate.Seconds);
        });
        Assert.Equal("ASH0660", Assert.Throws<DeviceException>(() =>
            Tune(new(DType.Float32, 64, 96, 300), corrupt: _ => true)).Code);
    }

    [Fact]
    public void Tuning_SaysWhatCannotBeTuned()
    {
        Assert.Equal("ASH0659", Assert.Throws<DeviceException>(() => Tune(new(DType.Float64, 8, 8, 8))).Code);
        Assert.Equal("ASH0659", Assert.Throws<DeviceException>(() => Tune(new(DType.Float32, 8, 0, 8))).Code);
        Assert.Equal("ASH0659", Assert.Throws<DeviceException>(() =>
            Tune(new(DType.Float32, 8, 8, 8, RightIsPacked: true))).Code);
    }

    [Theory, InlineData(1, 1, 1), InlineData(33, 65, 1), InlineData(130, 70, 2100), InlineData(1000, 40, 100)]
    public void Configs_AreLegal_AndReadBackFromTheirText(long rows, long columns, long inner)
    {
        var key = new ProductKey(DType.BFloat16, OperandAccess.InPlace, OperandAccess.InPlace, false, 1, rows, columns, inner, 2);
        var tiles = TileBlocks.Of(key, 2);
        Assert.NotEmpty(tiles);
        Assert.All(tiles, config => Assert.Equal(config, TileConfig.Parse(config.ToString())));
        var strips = StripBlocks.Of(key, 2);
        Assert.NotEmpty(strips);
        Assert.All(strips, config => Assert.Equal(config, TileConfig.Parse(config.ToString())));
        Assert.Equal(strips.Count, strips.Select(config => config.For(key, 2)).Distinct().Count());
        var facts = new BlockingCase(Isa.Chosen, 4, 2, OperandAccess.InPlace, columns * 4, OperandAccess.InPlace,
            inner * 4, false);
        var vectors = VectorBlocks.Of((facts, null), key with { DType = DType.Float32, Threads = 1 });
        Assert.NotEmpty(vectors);
        Assert.All(vectors, config => Assert.Equal(config, VectorBlocks.Parse(config.ToString())));
    }

    [Theory]
    [InlineData("")]
    [InlineData("rows=32")]
    [InlineData("by=blocks stays=left rows=0 columns=32 steps=1 workers=1")]
    [InlineData("by=blocks stays=both rows=32 columns=32 steps=1 workers=1")]
    [InlineData("by=blocks stays=left rows=32 columns=32 steps=1 workers=99999")]
    [InlineData("by=blocks stays=left rows=32 columns=-32 steps=1 workers=1")]
    [InlineData("stays=left rows=32 columns=32 steps=1 workers=1")]
    [InlineData("by=strips rows=32 columns=32 strip=32 steps=16 right=theirs workers=1")]
    [InlineData("by=strips rows=40 columns=32 strip=32 steps=16 right=own workers=1")]
    [InlineData("by=strips rows=32 columns=32 strip=0 steps=16 right=own workers=1")]
    [InlineData("default")]
    [InlineData("tile=9 rows=32 columns=32 inner=8 left=packed swapped=no workers=1")]
    [InlineData("tile=0x3 rows=32 columns=32 inner=8 left=packed swapped=no workers=1")]
    public void Configs_AreNotReadFromOtherText(string text)
    {
        Assert.Null(TileConfig.Parse(text));
        Assert.Null(VectorBlocks.Parse(text));
    }

    [Fact]
    public void Configs_ThatTheEngineHasNoMemoryFor_AreNotLegal()
    {
        var facts = new BlockingCase(Isa.Chosen, 4, 1, OperandAccess.InPlace, 4096, OperandAccess.InPlace, 4096,
            ResultIsScratch: true);
        var config = new VectorBlocks(false, RegisterTile.Of(Isa.Chosen), 96, 192, 256, false, 1);
        Assert.NotNull(config.For(facts, 1, 4096, 4096, 4096));
        Assert.Null((config with { Inner = 4096 }).For(facts, 1, 4096, 4096, 4096));
        Assert.Null((config with { Rows = 4096 }).For(facts, 1, 4096, 4096, 4096));
        Assert.Null((config with { Rows = 1000, Columns = 4096 }).For(facts, 1, 4096, 4096, 4096));
        Assert.Null((config with { Tile = new(40, 40) }).For(facts, 1, 4096, 4096, 4096));
        var huge = new ProductKey(DType.BFloat16, OperandAccess.InPlace, OperandAccess.InPlace, false, 1, 1 << 20,
            1 << 20, 1 << 20, 1);
        Assert.Null(new TileBlocks(MatrixOrder.ColumnPanels, 1 << 20, 32, 16, 1).For(huge, 2));
    }

    [Fact]
    public void Engine_TakesATunedConfig_ForTheWholeClassOfShapes()
    {
        var cache = TuningCache.Load(null);
        var engine = new Contraction(Isa.Chosen, DType.Float32);
        var call = new ContractionCall
        {
            Rows = 1000,
            Columns = 500,
            Inner = 300,
            Left = new(0, DType.Float32, 300, 1),
            Right = new(0, DType.Float32, 500, 1),
            Result = new(0, DType.Float32, 500, 1),
        };
        var config = new VectorBlocks(false, RegisterTile.Of(Isa.Chosen), 48, 144, 128, false, 1);
        cache.Add(new("matmul.f32", "here", TuningEntry.CurrentVersion, engine.KeyOf(call, 1).OfClass.ToString(),
            config.ToString(), 1, 2, ""));

        var tuned = new Contraction(Isa.Chosen, DType.Float32) { Tuned = new(cache, "here") };
        tuned.Prepare(call, 1);
        Assert.Equal(104, tuned.LastBlocks.Inner);                         // 300 in three even blocks
        call.Rows = 1020;                                                  // of one class with 1000
        tuned.Prepare(call, 1);
        Assert.True(tuned.LastBlocks.Rows <= 48);
        call.Rows = 600;
        tuned.Prepare(call, 1);
        engine.Prepare(call, 1);
        Assert.Equal(engine.LastBlocks, tuned.LastBlocks);                 // not tuned: what the model chooses
        var elsewhere = new Contraction(Isa.Chosen, DType.Float32) { Tuned = new(cache, "there") };
        call.Rows = 1000;
        elsewhere.Prepare(call, 1);
        Assert.True(elsewhere.LastBlocks.Rows > 48);
    }

    [TileFact]
    public unsafe void TileEngine_TakesATunedConfig_AndGivesTheSameResult()
    {
        var cache = TuningCache.Load(null);
        using var run = new ContractionRun(Isa.Avx512.Name, 2, onTiles: true);
        var shape = new Product(130, 200, 700) { LeftType = DType.BFloat16, RightType = DType.BFloat16 };
        var key = new ProductKey(DType.BFloat16, OperandAccess.InPlace, OperandAccess.InPlace, false, 1, 130, 200, 700, 2);
        var strips = StripBlocks.Of(key, 2);
        Assert.Contains(strips, config => config.SharesRight);
        Assert.Contains(strips, config => !config.SharesRight);
        foreach (var config in TileBlocks.Of(key, 2).Where((_, i) => i % 7 == 0).Concat<TileConfig>(strips))
        {
            cache.Add(new(key.Kernel, "here", TuningEntry.CurrentVersion, key.OfClass.ToString(), config.ToString(), 1, 2, ""));
            run.Check(shape with { Tuned = new(cache, "here") });
        }
    }

    [TileTheory, InlineData(false), InlineData(true)]
    public unsafe void TileEngine_TakesStripsOfAnySize_WithPackedOperandsAndEpilogues(bool packed)
    {
        var cache = TuningCache.Load(null);
        using var run = new ContractionRun(Isa.Avx512.Name, 2, onTiles: true);
        var shape = new Product(610, 200, 1100)
        {
            LeftType = DType.BFloat16,
            RightType = DType.BFloat16,
            PacksRight = packed,
            HasEpilogue = true,
        };
        var key = new ProductKey(DType.BFloat16, OperandAccess.InPlace, OperandAccess.InPlace, packed, 1, 610, 200, 1100, 2);
        foreach (var config in StripBlocks.Of(key, 2).Where((_, i) => i % 3 == 0))
        {
            cache.Add(new(key.Kernel, "here", TuningEntry.CurrentVersion, key.OfClass.ToString(), config.ToString(), 1, 2, ""));
            run.Check(shape with { Tuned = new(cache, "here") });
        }
    }

    [TileFact]
    public void TileEngine_SaysHowItCutsAProduct_AsAConfigThatCutsItSo()
    {
        foreach (long rows in (long[])[32, 100, 512, 1000, 3000])
            foreach (long columns in (long[])[64, 700, 4096])
                foreach (bool packed in (bool[])[false, true])
                {
                    var call = new ContractionCall
                    {
                        Rows = rows,
                        Columns = columns,
                        Inner = 2000,
                        Left = new(0, DType.BFloat16, 2000, 1),
                        Right = new(0, DType.BFloat16, columns, 1),
                        Result = new(0, DType.BFloat16, columns, 1),
                    };
                    var engine = new MatrixContraction(TileProduct.BF16, rightIsPacked: packed);
                    var usual = engine.CutOf(call, 2);
                    if (packed) Assert.IsType<StripBlocks>(usual);
                    engine.ForcedConfig = usual;
                    Assert.Equal(usual, engine.CutOf(call, 2));
                    Assert.Equal(usual, TileConfig.Parse(usual.ToString()));
                }
    }

    [Fact]
    public void Tuning_KeepsWhatBeatsTheDefault_BeyondNoise()
    {
        static TunedCandidate Candidate(string config, double seconds, double gain) =>
            new(config, 1, 1, seconds, gain, IsFinalist: true, IsDefault: config == "usual", IsWrong: false);
        static ProductTuning Of(params TunedCandidate[] candidates) =>
            new(new(DType.Float32, 8, 8, 8), "matmul.f32", "m=8", 1, 1, 3, candidates, 1);
        var usual = Candidate("usual", 1, 1);
        Assert.Equal("a", Of(Candidate("a", 0.8, 1.2), usual).Kept.Config);
        var noise = Of(Candidate("a", 0.98, 1.02), usual);
        Assert.Equal("usual", noise.Kept.Config);
        Assert.Equal("default", noise.Entry("here").Config);
        Assert.Null(TileConfig.Parse(noise.Entry("here").Config));
        Assert.Null(VectorBlocks.Parse(noise.Entry("here").Config));
    }

    [Theory, InlineData(1, 1), InlineData(8, 8), InlineData(9, 10), InlineData(1000, 1024), InlineData(1024, 1024),
        InlineData(1025, 1280), InlineData(1281, 1536)]
    public void Extents_FallIntoClasses(long extent, long expected) => Assert.Equal(expected, ExtentClass.Of(extent));
}
