using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Ashlar.Bench.Training;

namespace Ashlar.Bench;

/// <summary>PyTorch's scaled_dot_product_attention on the same shape, in a process beside ours that runs when it is told to.</summary>
sealed class TorchAttention : IDisposable
{
    readonly Process process;

    public TorchAttention(AttentionFigures.Case at, int threads)
    {
        var start = new ProcessStartInfo(TorchPeer.Script ?? throw new InvalidOperationException("PyTorch is not set up; run bench/peers/torch.sh"))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            ArgumentList = { "bench/peers/attention.py", "--threads", Text(threads), "--heads", Text(at.Heads), "--tokens", Text(at.Tokens), "--width", Text(at.HeadWidth) },
        };
        if (at.Causal) start.ArgumentList.Add("--causal");
        if (at.Backward) start.ArgumentList.Add("--backward");
        process = Process.Start(start)!;
        Answer();

        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Runs once.</summary>
    public double Seconds()
    {
        process.StandardInput.WriteLine();
        process.StandardInput.Flush();
        return Answer().GetProperty("seconds").GetDouble();
    }

    JsonElement Answer()
    {
        string line = process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("PyTorch ended; its error is above");
        return JsonDocument.Parse(line).RootElement;
    }

    public void Dispose()
    {
        process.StandardInput.Close();
        if (!process.WaitForExit(10_000)) process.Kill(entireProcessTree: true);
        process.Dispose();
    }
}
