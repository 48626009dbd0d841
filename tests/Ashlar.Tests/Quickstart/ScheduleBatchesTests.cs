using Ashlar.Cli.Quickstart;
using Ashlar.Training;

namespace Ashlar.Tests.Quickstart;

public class ScheduleBatchesTests
{
    static readonly ScheduleCodec codec = ScheduleCodec.Learn(seed: 2, vocabulary: 500, examples: 2000);

    const int Rows = 16, Context = 48;

    static (int[] Inputs, int[] Targets) Read(long number)
    {
        var (inputs, targets) = (new int[Rows * Context], new int[Rows * Context]);
        new ScheduleBatches(codec, seed: 5, Rows, Context).Read(number, inputs, targets);
        return (inputs, targets);
    }

    [Fact]
    public void Read_DependsOnTheNumberAlone()
    {
        Assert.Equal(Read(7).Inputs, Read(7).Inputs);
        Assert.Equal(Read(7).Targets, Read(7).Targets);
        Assert.NotEqual(Read(7).Inputs, Read(8).Inputs);
    }

    [Fact]
    public void Read_GivesAnExampleARow_WhoseExpressionCounts()
    {
        var (inputs, targets) = Read(3);
        for (int row = 0; row < Rows; row++)
        {
            string[] sides = codec.Tokenizer.Decode(inputs.AsSpan(row * Context, Context)).TrimEnd('\n').Split('\t');
            Assert.Equal(2, sides.Length);
            Assert.NotNull(Cron.TryParse(sides[1], out _));
            int[] learned = [.. targets.AsSpan(row * Context, Context).ToArray().Where(token => token != IBatches.Ignored)];
            Assert.Equal(sides[1] + "\n", codec.Tokenizer.Decode(learned));
            for (int i = 0; i + 1 < Context; i++)
                Assert.True(targets[row * Context + i] is IBatches.Ignored
                    || targets[row * Context + i] == inputs[row * Context + i + 1]);
        }
    }

    [Fact]
    public void Codec_KeepsDigitsApart()
    {
        Assert.Equal(["8", "3", "0"], codec.Tokenizer.Encode("830").Select(token => codec.Tokenizer.Decode([token])));
        Assert.True(codec.Tokenizer.Encode("every weekday at half past eight").Length < 12);
    }

    [Fact]
    public void Codec_FitsEveryExampleIntoARow() =>
        Assert.All(Enumerable.Range(0, 2000), i => Assert.InRange(codec.Encode(ScheduleData.Draw(1, i)).Tokens.Length, 5, 96));
}
