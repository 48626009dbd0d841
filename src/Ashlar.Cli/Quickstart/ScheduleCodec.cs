using System.Text;
using System.Text.RegularExpressions;
using Ashlar.Tokenizers;

namespace Ashlar.Cli.Quickstart;

/// <summary>Examples as tokens: the description, a tab, the cron expression, and a line end.</summary>
/// <remarks>
/// The tokenizer is learned from a text in which every number is cut to one digit, so words become tokens but numbers stay single
/// digits: "20:41" is copied digit by digit, and ten digits are learned sooner than sixty minutes.
/// </remarks>
sealed partial class ScheduleCodec
{
    readonly int[] tab, end;

    /// <summary>A codec with a tokenizer of <see cref="Learn"/>.</summary>
    public ScheduleCodec(Tokenizer tokenizer)
    {
        Tokenizer = tokenizer;
        (tab, end) = (tokenizer.Encode("\t"), tokenizer.Encode("\n"));
    }

    /// <summary>Text to tokens.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The token that ends an expression.</summary>
    public int End => end[0];

    /// <summary>Learns a tokenizer from training examples.</summary>
    /// <param name="seed">Which examples.</param>
    /// <param name="vocabulary">Tokens: 256 bytes, and words of the grammar.</param>
    /// <param name="examples">How many.</param>
    public static ScheduleCodec Learn(long seed, int vocabulary, int examples)
    {
        var text = new StringBuilder();
        long number = 0;
        for (int i = 0; i < examples; i++)
        {
            var example = ScheduleData.Draw(seed, ref number, Portion.Training);
            text.Append(Numbers().Replace($"{example.English}\n{example.Cron}\n", "$1"));
        }
        return new(BpeTokenizer.Train(text.ToString(), vocabulary));
    }

    /// <summary>The tokens of an example, and how many of them stand before the first of the expression.</summary>
    public (int[] Tokens, int Given) Encode(ScheduleExample example)
    {
        int[] given = Prompt(example.English);
        return ([.. given, .. Tokenizer.Encode(example.Cron), .. end], given.Length);
    }

    /// <summary>The tokens of a description, the tab included.</summary>
    public int[] Prompt(string english) => [.. Tokenizer.Encode(english), .. tab];

    [GeneratedRegex("([0-9])[0-9]+")]
    internal static partial Regex Numbers();
}
