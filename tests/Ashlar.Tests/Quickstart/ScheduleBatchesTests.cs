using Ashlar.Cli.Quickstart;
using Ashlar.Training;

namespace Ashlar.Tests.Quickstart;

public class ScheduleBatchesTests
{
    static readonly ScheduleCodec codec = ScheduleCodec.Learn(seed: 2, vocabulary: 500, examples: 2000);

    static (int[] Tokens, int[] Targets) Read(long number, int rows = 4, int length = 96)
    {
        var (tokens, targets) = (new int[rows * length], new int[rows * length]);
        new ScheduleBatches(codec, seed: 5, rows, length).Read(number, tokens, targets);
        return (tokens, targets);
    }

    [Fact]
    public void Read_DependsOnTheNumberAlone()
    {
        Assert.Equal(Read(7).Tokens, Read(7).Tokens);
        Assert.Equal(Read(7).Targets, Read(7).Targets);
        Assert.NotEqual(Read(7).Tokens, Read(8).Tokens);
    }

    [Fact]
    public void Read_GivesWholeTrainingExamples_WhoseExpressionsCount()
    {
        var (tokens, targets) = Read(3);
        int examples = 0;
        for (int row = 0; row < 4; row++)
        {
            string text = codec.Tokenizer.Decode(tokens.AsSpan(row * 96, 96)).TrimEnd('\n');
            foreach (string line in text.Split('\n'))
            {
                string[] sides = line.Split('\t');
                Assert.Equal(2, sides.Length);
                Assert.NotNull(Cron.TryParse(sides[1], out _));
                examples++;
            }
            string learned = codec.Tokenizer.Decode([.. targets.AsSpan(row * 96, 96).ToArray().Where(token => token != IBatches.Ignored)]);
            Assert.Equal(string.Concat(text.Split('\n').Select(line => line.Split('\t')[1] + "\n")), learned);
        }
        Assert.True(examples > 8);
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
