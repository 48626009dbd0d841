using System.Diagnostics;
using Ashlar.NN;

namespace Ashlar.Training;

/// <summary>The loop: batches in, updates, validations, checkpoints. It stops at a loss that is not finite.</summary>
/// <remarks>
/// Where it stands is the number of updates, which the optimizer counts: after its states, the weights' and
/// <see cref="BestLoss"/> were loaded from a checkpoint, <see cref="Train"/> goes on with the step after, and its losses are
/// bitwise those of a run that was never stopped. It writes nothing itself: what listens to its events does. Not thread-safe.
/// </remarks>
public sealed class Trainer
{
    readonly Optimizer optimizer;
    readonly TrainerOptions options;
    readonly TrainingStep step;
    readonly Func<Tensor, Tensor, Tensor> evaluate;

    /// <summary>A trainer of a model.</summary>
    /// <param name="weights">Of the model that <paramref name="loss"/> runs.</param>
    /// <param name="optimizer">Of these weights.</param>
    /// <param name="loss">
    /// The scalar to make small, of tokens [B, T] and targets [B, T]. The third argument is the key of dropout: it differs from
    /// step to step, and is null in validation.
    /// </param>
    /// <param name="options">How long, and what on the way.</param>
    public Trainer(Weights weights, Optimizer optimizer, Func<Tensor, Tensor, Tensor?, Tensor> loss, TrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Steps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Accumulate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.EvaluationBatches, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.ClipNorm);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.EvaluateEvery ?? 1, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SaveEvery ?? 1, 1);
        (this.optimizer, this.options) = (optimizer, options);
        step = new(weights, optimizer, loss, options.ClipNorm, options.Accumulate, options.Products);
        evaluate = Compiled.Function((Tensor tokens, Tensor targets) =>
        {
            if (options.Products is { } products) Compiled.ProductsIn(products);
            return loss(tokens, targets, null);
        });
    }

    /// <summary>After each step.</summary>
    public event Action<StepReport>? Stepped;

    /// <summary>After each validation.</summary>
    public event Action<EvaluationReport>? Evaluated;

    /// <summary>When a checkpoint is due, after the validation of that step; the argument is how many updates were
    /// made.</summary>
    public event Action<long>? Saving;

    /// <summary>The lowest loss of a validation so far; null before the first. A checkpoint must hold it to resume.</summary>
    public double? BestLoss { get; set; }

    /// <summary>Trains until the last step, or until cancelled: then it finishes the step, and a checkpoint is due.</summary>
    /// <param name="training">Step i reads the batches from <c>i * Accumulate</c> on.</param>
    /// <param name="validation">Each validation reads the same first batches; null: there is none.</param>
    /// <param name="cancellation">Looked at between steps.</param>
    /// <exception cref="TrainingException">A loss or gradient is not finite. The weights are those before that step.</exception>
    public TrainingResult Train(IBatches training, IBatches? validation = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(training);
        var reader = new BatchReader(training);
        var speed = new Speedometer();
        var start = Stopwatch.GetTimestamp();
        long done = optimizer.Count.Value.Item<int>();
        float? last = null;
        EvaluationReport? evaluation = null;
        long saved = done;
        while (done < options.Steps && !cancellation.IsCancellationRequested)
        {
            long first = done * options.Accumulate;
            var (loss, norm) = step.Run(part => reader.Read(first + part));
            if (!float.IsFinite(loss) || !float.IsFinite(norm)) throw NotFinite(done, loss, norm, reader);
            last = loss;
            done++;
            speed.Count((long)options.Accumulate * training.Rows * training.Length);
            Stepped?.Invoke(Report(done, loss, norm, speed, Stopwatch.GetElapsedTime(start)));

            bool isLast = done == options.Steps;
            if (validation is not null && (isLast || (options.EvaluateEvery is { } every && done % every == 0)))
            {
                evaluation = Evaluate(done, validation);
                Evaluated?.Invoke(evaluation);
            }
            if (isLast || (options.SaveEvery is { } period && done % period == 0))
            {
                Saving?.Invoke(done);
                saved = done;
            }
            speed.Resume();
        }
        if (saved != done) Saving?.Invoke(done);
        return new(done, last, evaluation, done >= options.Steps, Stopwatch.GetElapsedTime(start));
    }

    EvaluationReport Evaluate(long done, IBatches validation)
    {
        var reader = new BatchReader(validation);
        double sum = 0;
        for (int i = 0; i < options.EvaluationBatches; i++)
        {
            var (tokens, targets) = reader.Read(i);
            sum += evaluate(tokens, targets).Item<float>();
        }
        double loss = sum / options.EvaluationBatches;
        bool isBest = BestLoss is not { } best || loss < best;
        if (isBest) BestLoss = loss;
        return new(done, loss, isBest);
    }

    StepReport Report(long done, float loss, float norm, Speedometer speed, TimeSpan elapsed)
    {
        double rate = speed.TokensPerSecond;
        double? share = rate * options.FlopsPerToken / options.PeakFlopsPerSecond;
        TimeSpan? left = speed.SecondsPerStep is { } seconds ? TimeSpan.FromSeconds(seconds * (options.Steps - done)) : null;
        return new(done, loss, norm, optimizer.LearningRate.At(done - 1), rate, share, elapsed, left);
    }

    TrainingException NotFinite(long done, float loss, float norm, BatchReader reader)
    {
        NonFinite? found = null;
        for (int part = 0; part < options.Accumulate && found is null; part++)
        {
            var (tokens, targets) = reader.Read(done * options.Accumulate + part);
            found = step.FindNonFinite(tokens, targets);
        }
        string what = !float.IsFinite(loss) ? $"the loss is {Text(loss)}"
            : $"the gradients have the norm {Text(norm)}, while the loss is {loss:G5}";
        string where = found switch
        {
            null => "Computed alone, no part of it is.",
            { Op: null, State: { } name } => $"The parameter '{name}' itself holds {Kind(found)}.",
            { State: { } name } => $"The first {Kind(found)} comes up at '{name}': the result of {found.Op}, {found.Type}.",
            _ => $"The first {Kind(found)} comes up before the first parameter: the result of {found.Op}, {found.Type}.",
        };
        return new("ASH0502", $"at step {done + 1}, {what}. {where} The weights are those before the step.",
            "lower the learning rate or lengthen its warmup, and resume from the last checkpoint.");

        static string Text(float number) => float.IsNaN(number) ? "NaN" : "infinite";
        static string Kind(NonFinite found) => found.IsNaN ? "NaN" : "infinity";
    }

    /// <summary>Batches as tensors; the arrays in between are its own and used again.</summary>
    sealed class BatchReader(IBatches batches)
    {
        readonly int[] tokens = new int[batches.Rows * batches.Length];
        readonly int[] targets = new int[batches.Rows * batches.Length];
        readonly Shape shape = [batches.Rows, batches.Length];

        public (Tensor Tokens, Tensor Targets) Read(long number)
        {
            batches.Read(number, tokens, targets);
            return (Tensor.From<int>(tokens, shape), Tensor.From<int>(targets, shape));
        }
    }
}
