using System.Globalization;
using Ashlar.Bench.Training;

namespace Ashlar.Bench;

/// <summary>PyTorch's scaled_dot_product_attention on the same shape, in a process beside ours that runs when it is told
/// to.</summary>
sealed class TorchAttention(AttentionFigures.Case at, int threads) : IDisposable
{
    readonly TorchProcess process =
        new("bench/peers/attention.py",
        [
            "--threads", Text(threads), "--heads", Text(at.Heads), "--tokens", Text(at.Tokens), "--width", Text(at.HeadWidth),
            .. at.Causal ? ["--causal"] : (string[])[], .. at.Backward ? ["--backward"] : (string[])[],
        ]);

    /// <summary>Runs once.</summary>
    public double Seconds() => process.Ask().GetProperty("seconds").GetDouble();

    public void Dispose() => process.Dispose();

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
