namespace Ashlar.NN;

/// <summary>A number over the steps of a training: the learning rate. Computed within the step, from the number of the
/// step.</summary>
/// <remarks>
/// A chain of pieces, each a line or half a wave; after the last one the value stays. Steps count from 0, the first update. A
/// number converts to a constant schedule, so <c>learningRate: 3e-4f</c> is one.
/// </remarks>
public sealed class Schedule
{
    readonly Piece[] pieces;

    // The last piece holds the value that stays; it has no steps of its own.
    Schedule(params Piece[] pieces) =>
        this.pieces = [.. pieces.Where(piece => piece.Steps > 0), pieces[^1] with { From = pieces[^1].To, Steps = 0 }];

    /// <summary>A number that never changes.</summary>
    public static implicit operator Schedule(double value) => Constant(value);

    /// <summary>A number that never changes.</summary>
    public static Schedule Constant(double value) => new(new Piece(0, value, value));

    /// <summary>Rises in a line to the peak, then falls along half a cosine.</summary>
    /// <param name="peak">The greatest value.</param>
    /// <param name="steps">Steps until the end of the fall, those of the rise included.</param>
    /// <param name="warmup">Steps of the rise, of which step i gives <c>peak * (i + 1) / warmup</c>.</param>
    /// <param name="final">The value after the fall; often a tenth of the peak.</param>
    /// <remarks>Source: Loshchilov and Hutter 2016, arXiv:1608.03983.</remarks>
    public static Schedule Cosine(double peak, long steps, long warmup = 0, double final = 0)
    {
        Check(steps, warmup);
        return new(Rise(peak, warmup), new(steps - warmup, peak, final, IsCosine: true));
    }

    /// <summary>Warmup, stable, decay: rises to the peak, stays there, and falls in a line over the last steps.</summary>
    /// <param name="peak">The greatest value.</param>
    /// <param name="steps">Steps until the end of the fall, all included.</param>
    /// <param name="warmup">Steps of the rise, of which step i gives <c>peak * (i + 1) / warmup</c>.</param>
    /// <param name="decay">Steps of the fall; a tenth to a fifth of all is usual.</param>
    /// <param name="final">The value after the fall.</param>
    /// <remarks>The stable part may be continued from a checkpoint. Source: Hu et al. 2024, arXiv:2404.06395.</remarks>
    public static Schedule Wsd(double peak, long steps, long warmup, long decay, double final = 0)
    {
        Check(steps, warmup, decay);
        return new(Rise(peak, warmup), new(steps - warmup - decay, peak, peak), new(decay, peak, final));
    }

    /// <summary>The value at a step, for display.</summary>
    /// <param name="step">How many updates were made before this one.</param>
    public double At(long step)
    {
        foreach (var piece in pieces.AsSpan(0, pieces.Length - 1))
        {
            if (step < piece.Steps)
            {
                double done = (double)step / piece.Steps;
                return piece.From + (piece.To - piece.From) * (piece.IsCosine ? (1 - Math.Cos(Math.PI * done)) / 2 : done);
            }
            step -= piece.Steps;
        }
        return pieces[^1].To;
    }

    /// <summary>The value at a step, as part of the program.</summary>
    /// <param name="step">An integer scalar: how many updates were made before this one.</param>
    /// <returns>A float32 scalar; computed in float64.</returns>
    public Tensor At(Tensor step)
    {
        var result = Tensor.Full([], pieces[^1].To, DType.Float64);
        long start = pieces.Sum(piece => piece.Steps);
        var at = step.Cast(DType.Float64);
        for (int i = pieces.Length - 2; i >= 0; i--)
        {
            var piece = pieces[i];
            long end = start;
            start -= piece.Steps;
            var done = (at - start) / piece.Steps;
            Tensor value = piece.From == piece.To ? Tensor.Full([], piece.From, DType.Float64)
                : piece.From + (piece.To - piece.From) * (piece.IsCosine ? (1 - (done * Math.PI).Cos()) / 2 : done);
            result = Tensor.Where(at < end, value, result);
        }
        return result.Cast(DType.Float32);
    }

    // From peak / warmup, so that the first step moves, to what the next piece begins with.
    static Piece Rise(double peak, long warmup) =>
        warmup == 0 ? new(0, peak, peak) : new(warmup, peak / warmup, peak + peak / warmup);

    static void Check(long steps, long warmup, long decay = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(warmup);
        ArgumentOutOfRangeException.ThrowIfNegative(decay);
        if (warmup + decay > steps)
            throw new ArgumentOutOfRangeException(nameof(steps), steps,
                $"must be at least the {warmup + decay} steps of the schedule's other parts.");
    }

    sealed record Piece(long Steps, double From, double To, bool IsCosine = false);
}
