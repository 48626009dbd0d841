using System.Diagnostics;
using System.Text.Json;

namespace Ashlar.Bench.Training;

/// <summary>A script of bench/peers in PyTorch, in a process beside ours that works when it is told to: a line in, a line of JSON
/// out.</summary>
sealed class TorchProcess : IDisposable
{
    readonly Process process;

    /// <summary>The script that sets the peer up and runs it; null where it was not set up, or where this is not a
    /// checkout.</summary>
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

    /// <summary>Starts a script and waits until it is ready.</summary>
    /// <param name="script">A Python file, from the root of the repository.</param>
    /// <param name="arguments">What it is given.</param>
    /// <exception cref="DeviceException">ASH0606: PyTorch is not set up, or the script ended at once.</exception>
    public TorchProcess(string script, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Script
            ?? throw new DeviceException("ASH0606", "PyTorch is not set up.", "run bench/peers/torch.sh."), [script, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        process = Process.Start(start)!;
        try { Answer(process.StandardOutput); }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Has it work once.</summary>
    /// <returns>What it printed.</returns>
    /// <exception cref="DeviceException">ASH0606: the script ended.</exception>
    public JsonElement Ask()
    {
        process.StandardInput.WriteLine();
        process.StandardInput.Flush();
        return Answer(process.StandardOutput);
    }

    /// <summary>The answer to one question.</summary>
    /// <exception cref="DeviceException">ASH0606: there is none.</exception>
    internal static JsonElement Answer(TextReader output) => output.ReadLine() is { } line
        ? JsonDocument.Parse(line).RootElement
        : throw new DeviceException("ASH0606", "PyTorch ended without an answer; what it wrote is above.",
            "run bench/peers/torch.sh by itself, or choose figures without PyTorch with --filter.");

    public void Dispose()
    {
        process.StandardInput.Close();
        if (!process.WaitForExit(10_000)) process.Kill(entireProcessTree: true);
        process.Dispose();
    }
}
