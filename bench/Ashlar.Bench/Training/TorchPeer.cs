using System.Globalization;

namespace Ashlar.Bench.Training;

/// <summary>PyTorch with the same model, in a process beside ours that does a step when it is told to.</summary>
sealed class TorchPeer : IDisposable
{
    readonly TorchProcess process;

    TorchPeer(TorchProcess process) => this.process = process;

    /// <summary>Starts it and waits until its model is there.</summary>
    /// <param name="threads">Of PyTorch.</param>
    /// <param name="weights">A safetensors file to start from; null for random ones.</param>
    /// <param name="batches">A file of raw int32 [steps, 2, batch, context]; null for random ones.</param>
    public static TorchPeer Start(int threads, string? weights = null, string? batches = null)
    {
        List<string> arguments = ["--serve", "--threads", threads.ToString(CultureInfo.InvariantCulture), "--lr",
            GptTraining.LearningRate.ToString(CultureInfo.InvariantCulture)];
        if (weights is not null) arguments.AddRange(["--weights", weights]);
        if (batches is not null) arguments.AddRange(["--batches", batches]);
        return new(new("bench/peers/gpt.py", arguments));
    }

    /// <summary>One step: how long it took and its loss.</summary>
    public (double Seconds, double Loss) Step()
    {
        var answer = process.Ask();
        return (answer.GetProperty("seconds").GetDouble(), answer.GetProperty("loss").GetDouble());
    }

    public void Dispose() => process.Dispose();
}
