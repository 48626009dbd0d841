using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Runtime;
using Ashlar.Training;

namespace Ashlar.Tests.Training;

public sealed class TrainerTests : IDisposable
{
    readonly Device.Selection selection = new Device(new CpuBackend()).Select();

    public void Dispose() => selection.Dispose();

    /// <summary>Each token is followed by the next one of a circle of eight.</summary>
    sealed class Circle(int rows = 4, int length = 6) : IBatches
    {
        public int Rows => rows;

        public int Length => length;

        public void Read(long number, Span<int> tokens, Span<int> targets)
        {
            var random = new Random((int)number);
            for (int row = 0; row < rows; row++)
            {
                int start = random.Next(8);
                for (int i = 0; i < length; i++)
                    (tokens[row * length + i], targets[row * length + i]) = ((start + i) % 8, (start + i + 1) % 8);
            }
        }
    }

    sealed class Session
    {
        public Weights Weights { get; } = Weights.Random(seed: 1);

        public Gpt Model { get; }

        public Optimizer Optimizer { get; }

        public Trainer Trainer { get; }

        public List<(long Step, float Loss)> Losses { get; } = [];

        public Session(TrainerOptions options, GptConfig? config = null, double learningRate = 1e-2)
        {
            Model = new(Weights, config ?? new()
            {
                Vocabulary = 8,
                Layers = 2,
                Width = 16,
                Heads = 2,
                Context = 8,
                Dropout = 0.1,
            });
            Optimizer = new AdamW(Weights, learningRate);
            Trainer = new(Weights, Optimizer, (tokens, targets, key) =>
                Loss.CrossEntropy(Model.Forward(tokens, key), targets, ignore: IBatches.Ignored), options);
            Trainer.Stepped += report => Losses.Add((report.Step, report.Loss));
        }

        public State[] States => [.. Weights.States, .. Optimizer.States];

        public State this[string name] => States.Single(state => state.Name == name);
    }

    [Fact]
    public void Train_LearnsTheCircle()
    {
        var session = new Session(new()
        {
            Steps = 80,
            EvaluateEvery = 40,
            EvaluationBatches = 2,
            ClipNorm = double.PositiveInfinity,
        });
        var reports = new List<EvaluationReport>();
        session.Trainer.Evaluated += reports.Add;
        var result = session.Trainer.Train(new Circle(), new Circle());
        Assert.True(result.IsComplete);
        Assert.Equal((80, session.Losses[^1].Loss), (result.Step, result.Loss));
        Assert.Equal(Enumerable.Range(1, 80).Select(i => (long)i), session.Losses.Select(loss => loss.Step));
        Assert.Equal([40L, 80], reports.Select(report => report.Step));
        Assert.True(reports[1].IsBest);
        Assert.True(reports[1].Loss < 0.2
            && session.Losses[0].Loss > 1.5, $"the loss went from {session.Losses[0].Loss} to {reports[1].Loss}");
        Assert.Equal(reports[1].Loss, session.Trainer.BestLoss);
    }

    [Fact]
    public void Train_GoesOnBitwise_WhenStatesAreLoaded()
    {
        var whole = new Session(new() { Steps = 8 });
        whole.Trainer.Train(new Circle());

        var half = new Session(new() { Steps = 4 });
        half.Trainer.Train(new Circle());
        var rest = new Session(new() { Steps = 8 });
        foreach (var state in half.States) rest[state.Name].Value = state.Value;
        rest.Trainer.Train(new Circle());

        Assert.Equal(whole.Losses, [.. half.Losses, .. rest.Losses]);
        Assert.All(whole.Weights.States,
            state => Assert.Equal(state.Value.ToArray<float>(), rest[state.Name].Value.ToArray<float>()));
    }

    [Fact]
    public void Train_FinishesTheStepAndSaves_WhenCancelled()
    {
        using var cancel = new CancellationTokenSource();
        var session = new Session(new() { Steps = 100, SaveEvery = 2 });
        var saved = new List<long>();
        session.Trainer.Saving += saved.Add;
        session.Trainer.Stepped += report =>
        {
            if (report.Step == 3) cancel.Cancel();
        };
        var result = session.Trainer.Train(new Circle(), cancellation: cancel.Token);
        Assert.False(result.IsComplete);
        Assert.Equal(3, result.Step);
        Assert.Equal([2L, 3], saved);
    }

    [Fact]
    public void Train_SavesTheLastStepOnce()
    {
        var session = new Session(new() { Steps = 4, SaveEvery = 2 });
        var saved = new List<long>();
        session.Trainer.Saving += saved.Add;
        session.Trainer.Train(new Circle());
        session.Trainer.Train(new Circle());   // nothing is left to do
        Assert.Equal([2L, 4], saved);
    }

    [Fact]
    public void Train_NamesStepAndLayer_WhenTheLossIsNotFinite()
    {
        var session = new Session(new() { Steps = 10 });
        session.Trainer.Stepped += report =>
        {
            if (report.Step == 2) session["h.1.mlp.c_fc.weight"].Value = Tensor.Full(session["h.1.mlp.c_fc.weight"].Shape, 3e38);
        };
        float[] before = [];
        session.Trainer.Stepped += _ => before = session["h.0.mlp.c_fc.weight"].Value.ToArray<float>();
        var problem = Assert.Throws<TrainingException>(() => session.Trainer.Train(new Circle()));
        Assert.Equal("ASH0502", problem.Code);
        Assert.Contains("at step 3,", problem.Message);
        Assert.Contains("'h.1.mlp.c_fc.weight'", problem.Message);
        Assert.Equal(before, session["h.0.mlp.c_fc.weight"].Value.ToArray<float>());   // the step changed nothing
        Assert.Equal(2, session.Optimizer.Count.Value.Item<int>());
    }

    [Fact]
    public void Train_NamesTheParameter_WhenItHoldsNaN()
    {
        var session = new Session(new() { Steps = 10 });
        session["h.0.ln_1.weight"].Value = Tensor.Full(session["h.0.ln_1.weight"].Shape, double.NaN);
        var problem = Assert.Throws<TrainingException>(() => session.Trainer.Train(new Circle()));
        Assert.Contains("at step 1, the loss is NaN. The parameter 'h.0.ln_1.weight' itself holds NaN.", problem.Message);
    }

    [Fact]
    public void Train_StopsBeforeTheUpdate_WhenOnlyGradientsAreNotFinite()
    {
        var weights = Weights.Random(seed: 1);
        var scale = weights.Get("scale", [4], Initial.Zeros);
        var optimizer = new AdamW(weights, 0.1);
        // sqrt(0): the value is fine, the slope is not.
        var trainer =
            new Trainer(weights, optimizer, (tokens, _, _) => (scale.Value * scale.Value).Sqrt().Sum() + tokens.Sum() * 0f, new()
            {
                Steps = 3,
            });
        var problem = Assert.Throws<TrainingException>(() => trainer.Train(new Circle()));
        Assert.Contains("the gradients have the norm NaN, while the loss is 0", problem.Message);
        Assert.Equal(new float[4], scale.Value.ToArray<float>());
    }

    [Fact]
    public void Accumulate_EqualsOneLargeBatch()
    {
        var config = new GptConfig { Vocabulary = 8, Layers = 1, Width = 16, Heads = 2, Context = 8 };
        var (parts, whole) = (new Session(new() { Steps = 3, Accumulate = 2 }, config), new Session(new() { Steps = 3 }, config));
        parts.Trainer.Train(new Halves(new Circle(rows: 4)));
        whole.Trainer.Train(new Circle(rows: 4));
        foreach (var (a, b) in parts.Losses.Zip(whole.Losses)) Assert.Equal(b.Loss, a.Loss, 1e-4f);
        foreach (var (a, b) in parts.Weights.States.Zip(whole.Weights.States))
            Assert.All(a.Value.ToArray<float>().Zip(b.Value.ToArray<float>()),
                pair => Assert.Equal(pair.Second, pair.First, 2e-3f));
    }

    /// <summary>The batches of another in halves.</summary>
    sealed class Halves(IBatches batches) : IBatches
    {
        public int Rows => batches.Rows / 2;

        public int Length => batches.Length;

        public void Read(long number, Span<int> tokens, Span<int> targets)
        {
            int half = Rows * Length;
            var (all, after) = (new int[2 * half], new int[2 * half]);
            batches.Read(number / 2, all, after);
            int from = number % 2 == 0 ? 0 : half;
            all.AsSpan(from, half).CopyTo(tokens);
            after.AsSpan(from, half).CopyTo(targets);
        }
    }

    [Fact]
    public void Steps_AllocateTheSame_WhateverTheModelsSize()
    {
        long small = BytesPerStep(layers: 1, width: 8), large = BytesPerStep(layers: 3, width: 32);
        Assert.InRange(large, 0, small + 64);
        Assert.InRange(large, 0, 4096);
    }

    static long BytesPerStep(int layers, int width)
    {
        var session = new Session(new() { Steps = 60, EvaluateEvery = null },
            new() { Vocabulary = 8, Layers = layers, Width = width, Heads = 2, Context = 8 });
        session.Losses.Capacity = 100;
        long at30 = 0, at60 = 0;
        session.Trainer.Stepped += report =>
        {
            if (report.Step == 30) at30 = GC.GetAllocatedBytesForCurrentThread();
            if (report.Step == 60) at60 = GC.GetAllocatedBytesForCurrentThread();
        };
        session.Trainer.Train(new Circle());
        return (at60 - at30) / 30;
    }

    [Fact]
    public void Reports_TellRateAndUtilisation()
    {
        var session = new Session(new() { Steps = 3, FlopsPerToken = 1000, PeakFlopsPerSecond = 1e6 });
        var reports = new List<StepReport>();
        session.Trainer.Stepped += reports.Add;
        session.Trainer.Train(new Circle());
        Assert.Equal((0, null), (reports[0].TokensPerSecond, reports[0].Remaining));
        Assert.Equal(reports[2].TokensPerSecond * 1000 / 1e6, reports[2].Utilisation!.Value, 1e-9);
        Assert.Equal(1e-2, reports[2].LearningRate);
        Assert.True(reports[2].GradientNorm > 0);
        Assert.Equal(TimeSpan.Zero, reports[2].Remaining);
    }
}
