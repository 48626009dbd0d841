using Ashlar.Training;

namespace Ashlar.Cli.Quickstart;

/// <summary>Training batches of schedules, an example a row. The expression counts in the loss, the description does
/// not.</summary>
/// <remarks>
/// Several examples to a row would waste less room, but a model that sees other examples before its own learns several times
/// slower. Examples longer than a row are left out.
/// </remarks>
sealed class ScheduleBatches(ScheduleCodec codec, long seed, int rows, int length) : IBatches
{
    const long PerBatch = 1 << 20;         // numbers of examples that a batch may draw from

    public int Rows => rows;

    public int Length => length;

    public void Read(long number, Span<int> tokens, Span<int> targets)
    {
        tokens.Fill(codec.End);
        targets.Fill(IBatches.Ignored);
        long next = number * PerBatch;
        for (int row = 0; row < rows;)
        {
            var (text, given) = codec.Encode(ScheduleData.Draw(seed, ref next, Portion.Training));
            if (text.Length > length + 1) continue;
            int at = row++ * length;
            text.AsSpan(0, text.Length - 1).CopyTo(tokens[at..]);
            text.AsSpan(given).CopyTo(targets[(at + given - 1)..]);
        }
    }
}
