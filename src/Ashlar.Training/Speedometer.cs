using System.Diagnostics;

namespace Ashlar.Training;

/// <summary>The speed of the last steps.</summary>
/// <remarks>What lies between steps, such as a validation, does not count; neither does the first step, which compiles.</remarks>
sealed class Speedometer
{
    const int Window = 32;

    readonly (double Seconds, long Tokens)[] steps = new (double, long)[Window];
    long count = -1;
    long start = Stopwatch.GetTimestamp();
    double seconds;
    long tokens;

    /// <summary>A step has ended.</summary>
    public void Count(long stepTokens)
    {
        double elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (count++ < 0) return;
        ref var slot = ref steps[(count - 1) % Window];
        (seconds, tokens) = (seconds + elapsed - slot.Seconds, tokens + stepTokens - slot.Tokens);
        slot = (elapsed, stepTokens);
    }

    /// <summary>The next step begins.</summary>
    public void Resume() => start = Stopwatch.GetTimestamp();

    /// <summary>0 until there was a second step.</summary>
    public double TokensPerSecond => tokens == 0 ? 0 : tokens / seconds;

    /// <summary>Null until there was a second step.</summary>
    public double? SecondsPerStep => count < 1 ? null : seconds / Math.Min(count, Window);
}
