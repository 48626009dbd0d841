using Ashlar.Training;

namespace Ashlar.Cli.Quickstart;

/// <summary>Training batches of schedules; what the model has to say, the expression, counts in the loss, what it is given does not.</summary>
/// <remarks>Examples lie one behind the other in a row until the next one does not fit.</remarks>
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
        (int[] Tokens, int Given)? left = null;
        for (int row = 0; row < rows; row++)
        {
            for (int at = row * length, end = at + length; ;)
            {
                var (text, given) = left ?? codec.Encode(ScheduleData.Draw(seed, ref next, Portion.Training));
                left = null;
                if (text.Length > length) continue;
                if (at + text.Length > end)
                {
                    left = (text, given);
                    break;
                }
                text.CopyTo(tokens[at..]);
                for (int i = given - 1; i + 1 < text.Length; i++) targets[at + i] = text[i + 1];
                at += text.Length;
            }
        }
    }
}
