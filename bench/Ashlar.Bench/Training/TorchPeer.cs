using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Ashlar.Bench.Training;

/// <summary>PyTorch with the same model, in a process beside ours that does a step when it is told to.</summary>
sealed class TorchPeer : IDisposable
{
    readonly Process process;

    TorchPeer(Process process) => this.process = process;

    /// <summary>The script that sets the peer up and runs it; null where it was not set up, or where this is not a checkout.</summary>
    public static string? Script
    {
        get
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (!File.Exists(Path.Combine(home, ".cache/ashlar/peers/torch/.ready"))) return null;
            for (var folder = new DirectoryInfo(Environment.CurrentDirectory); folder is not null; folder = folder.Parent)
                if (Path.Combine(folder.FullName, "bench/peers/torch.sh") is var script && File.Exists(script)) return script;
            return null;
        }
    }

    /// <summary>Starts it and waits until its model is there.</summary>
    /// <param name="threads">Of PyTorch.</param>
    /// <param name="weights">A safetensors file to start from; null for random ones.</param>
    /// <param name="batches">A file of raw int32 [steps, 2, batch, context]; null for random ones.</param>
    public static TorchPeer Start(int threads, string? weights = null, string? batches = null)
    {
        var start = new ProcessStartInfo(Script ?? throw new InvalidOperationException("PyTorch is not set up; run bench/peers/torch.sh"))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            ArgumentList = { "bench/peers/gpt.py", "--serve", "--threads", threads.ToString(CultureInfo.InvariantCulture),
                "--lr", GptTraining.LearningRate.ToString(CultureInfo.InvariantCulture) },
        };
        if (weights is not null) { start.ArgumentList.Add("--weights"); start.ArgumentList.Add(weights); }
        if (batches is not null) { start.ArgumentList.Add("--batches"); start.ArgumentList.Add(batches); }
        var peer = new TorchPeer(Process.Start(start)!);
        peer.Answer();
        return peer;
    }

    /// <summary>One step: how long it took and its loss.</summary>
    public (double Seconds, double Loss) Step()
    {
        process.StandardInput.WriteLine();
        process.StandardInput.Flush();
        var answer = Answer();
        return (answer.GetProperty("seconds").GetDouble(), answer.GetProperty("loss").GetDouble());
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
