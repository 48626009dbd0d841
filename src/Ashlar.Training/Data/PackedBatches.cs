using System.Runtime.InteropServices;
using Ashlar.Formats;

namespace Ashlar.Training;

/// <summary>A text that is learned as a whole: a question with its answer, an example.</summary>
/// <param name="Tokens">With whatever marks its end.</param>
/// <param name="FirstTarget">
/// The first token that counts in the loss: the length of the prompt. Nothing predicts token 0, so 0 is the same as 1.
/// </param>
public readonly record struct Document(ReadOnlyMemory<int> Tokens, int FirstTarget = 0);

/// <summary>
/// Rows that hold several short documents each, none of them cut; what is left of a row is filled and does not count in the loss.
/// </summary>
/// <remarks>
/// Documents go, in a random order, into the row that they leave least room in (best fit), once for all epochs. A model that has
/// no mask for it sees the earlier documents of a row, so documents should end with a mark. The first token of a document is no
/// target.
/// </remarks>
public sealed class PackedBatches : Batches
{
    readonly int[] inputs, targets;

    /// <summary>Batches of documents.</summary>
    /// <param name="documents">None longer than <paramref name="length"/> plus 1, none with fewer than 2 tokens.</param>
    /// <param name="rows">B, of a batch.</param>
    /// <param name="length">T, tokens of a row.</param>
    /// <param name="seed">Which order.</param>
    /// <param name="shuffle">False takes the rows always in the same order: for validation.</param>
    /// <param name="filler">The token that fills what is left of rows.</param>
    /// <exception cref="DataException">There is no document, or one is too long or too short.</exception>
    public PackedBatches(IReadOnlyList<Document> documents, int rows, int length, long seed = 0, bool shuffle = true,
        int filler = 0)
        : base(rows, length, seed, shuffle)
    {
        ArgumentNullException.ThrowIfNull(documents);
        if (documents.Count == 0) throw new DataException("ASH0433",
            "there are no documents to learn from.",
            "give at least one.");
        var packed = Pack(documents);
        RowsPerEpoch = packed.Count;
        inputs = new int[checked(packed.Count * length)];
        targets = new int[inputs.Length];
        Array.Fill(inputs, filler);
        Array.Fill(targets, IBatches.Ignored);
        foreach (var (row, members) in packed.Index())
        {
            var input = inputs.AsSpan(row * length, length);
            var target = targets.AsSpan(row * length, length);
            int at = 0;
            foreach (int member in members)
            {
                var document = documents[member].Tokens.Span;
                for (int i = 0; i < document.Length; i++, at++)
                {
                    if (at < length) input[at] = document[i];
                    if (i >= Math.Max(1, documents[member].FirstTarget)) target[at - 1] = document[i];
                }
            }
        }
    }

    /// <inheritdoc/>
    public override long RowsPerEpoch { get; }

    /// <summary>Which share of all targets counts in the loss.</summary>
    public double CountingShare => targets.Count(target => target != IBatches.Ignored) / (double)targets.Length;

    private protected override string Kind => "packed";

    private protected override uint Fingerprint()
    {
        Crc32C sum = default;
        sum.Append(MemoryMarshal.AsBytes(inputs.AsSpan()));
        sum.Append(MemoryMarshal.AsBytes(targets.AsSpan()));
        return sum.Value;
    }

    private protected override void ReadRow(long row, ulong? key, Span<int> tokens, Span<int> targets)
    {
        inputs.AsSpan((int)row * Length, Length).CopyTo(tokens);
        this.targets.AsSpan((int)row * Length, Length).CopyTo(targets);
    }

    List<List<int>> Pack(IReadOnlyList<Document> documents)
    {
        int capacity = Length + 1;   // the last token of a row is a target only
        var rows = new List<List<int>>();
        var open = new Stack<List<int>>[capacity + 1];   // by the room that is left
        for (int room = 0; room < open.Length; room++) open[room] = new();
        var order = new Shuffle(documents.Count, (ulong)Seed);
        for (int place = 0; place < documents.Count; place++)
        {
            int member = (int)order[place], needed = documents[member].Tokens.Length;
            if (needed < 2 || needed > capacity)
                throw new DataException("ASH0438",
                    $"document {member:N0} has {needed:N0} tokens, but a row of {Length:N0} takes 2 to {capacity:N0}.",
                    "cut or leave out such documents, or take a larger context.");
            int room = needed;
            while (room < capacity && open[room].Count == 0) room++;
            if (!open[room].TryPop(out var row)) rows.Add(row = []);
            row.Add(member);
            open[room - needed].Push(row);
        }
        return rows;
    }
}
